// Package interleave runs a few processes over stores in memory in every order that matters. It finds
// what goes wrong if two of them work at once, if one dies in the middle, or if a response is lost.
//
// A [Scene] has stores and processes. [Run] runs the scene again and again. Each run is a schedule:
// it decides which request comes next, until all processes have ended. Then the function of
// [Scene.Check] looks at the stores:
//
//	func TestPublish(t *testing.T) {
//		interleave.Run(t, interleave.Config{}, func(s *interleave.Scene) {
//			store := s.Store("pages")
//			for _, name := range []string{"a", "b"} {
//				p := s.Process(name)
//				bucket := p.Bucket(store)
//				p.Go(name, func(ctx context.Context) error { return publish(ctx, bucket, name) })
//			}
//			s.Check(func() { require.NoError(s, consistent(s.Context(), store.Bucket())) })
//		})
//	}
//
// # Schedules
//
// All goroutines of a scene run in one bubble of package testing/synctest. Each request to a store
// waits until the schedule lets it take effect. Between two requests, only one process runs. So a
// schedule is a list of choices, and a run with the same list is the same run. A choice is 0 if the
// process of the last request goes on. A failed run is printed with all its requests, and with a line
// that repeats it:
//
//	go test -run '^TestPublish$/^full$' ./pages -args -replay 0,0,1
//
// A request is a moment of effect. Copy and Compose read their sources in one moment and write in
// another, as on S3. DeleteBatch removes each key in a moment of its own. A listing shows each page
// as of one moment.
//
// # Budgets
//
// A [Budget] bounds the schedules: how often a process is interrupted although it could continue, how many
// responses are lost, and how many processes die. It also says how many reads fail, how often a store stops
// answering, and how often time passes although requests are pending. Nearly all faults show with two
// interruptions, or with one
// and one loss, death or failure. A schedule is cut off if it
// differs from another one only in the order of requests that cannot affect each other.
//
// # Weak stores
//
// Memory can do more than most stores. So Run repeats the scene on stores that lack something: see
// [Weakness]. A job that relies on unique revisions shows it there.
//
// # What is not explored
//
// The package does not explore system calls of a local directory, sockets, databases, or data races
// between two requests.
// Code that holds a lock of package sync during a request cannot be explored: [Run] then stops the
// program, with the schedule.
package interleave
