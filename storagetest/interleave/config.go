package interleave

import (
	"github.com/omnibucket/storage"
)

// A Config says how far [Run] explores a scene. The zero value has the defaults.
type Config struct {
	// Weaknesses lists the kinds of stores on which the scene is explored, one after the other. The default is the
	// result of the function [Weaknesses].
	Weaknesses []Weakness
	// Budgets bound the schedules. The scene is explored with one Budget after the other. The
	// default is the result of [Budgets].
	Budgets []Budget
	// Random is the number of additional schedules that are drawn at random, without a limit for
	// interruptions. The same number draws the same schedules. Of everything else, such as losses and deaths,
	// a schedule has at most as many as the Budget that has the most.
	Random int
	// Limit is the largest number of schedules for each Budget and each Weakness. The default is 20,000. If a
	// scene has more, the Budget ends there, and the log of the test says so.
	Limit int
}

// A Budget bounds the schedules of a scene.
type Budget struct {
	// Interruptions is how often another process continues although the current one could.
	Interruptions int
	// Losses is how many responses of writes are lost: the write takes effect, and the process gets
	// an [storage.Unavailable] error whose outcome is unknown. The bucket retries it as usual.
	Losses int
	// Deaths is how many processes die. All requests of a dead process fail without an effect.
	Deaths int
	// Ticks is how often time passes although requests are pending. It has no effect without
	// [Scene.Tick].
	Ticks int
	// Failures is how many reads fail with an [storage.Unavailable] error. The bucket retries them as usual.
	// A layer may read from another store instead.
	Failures int
	// Outages is how often a store stops answering one process. For a minute, all requests of the process to
	// the store then fail with [storage.Unavailable], and without an effect.
	Outages int
}

// Budgets returns the default budgets. A budget is what may happen in one schedule: an actor is
// interrupted between two requests, a response is lost, a process is killed, the clock moves on (a
// tick), or a read fails.
func Budgets() []Budget {
	return []Budget{
		{Interruptions: 2},
		{Interruptions: 1, Losses: 1},
		{Interruptions: 1, Deaths: 1},
		{Interruptions: 1, Ticks: 1},
		{Failures: 1},
	}
}

// FurtherBudgets returns larger budgets than [Budgets], for tests that run at night.
func FurtherBudgets() []Budget {
	return []Budget{
		{Interruptions: 3},
		{Interruptions: 2, Losses: 1, Deaths: 1},
		{Interruptions: 1, Losses: 2},
		{Interruptions: 2, Ticks: 2},
		{Interruptions: 1, Failures: 2},
		{Losses: 1, Failures: 1},
	}
}

// A Weakness is a kind of store that lacks something.
type Weakness struct {
	Name string // name of the subtest
	// Lacks are the features that the store does not declare. A request that needs one fails with
	// [storage.Internal].
	Lacks storage.Features
	// EqualRevisions makes equal content have equal revisions and ETags, as on S3. The store then does
	// not declare [storage.UniqueRevisions]. The times of its objects are whole seconds.
	EqualRevisions bool
}

const (
	serverCopies = storage.ServerCopy | storage.ServerMove | storage.ServerCompose | storage.ServerAppend
	oneStep      = storage.ServerMove | storage.ServerAppend
)

// Weaknesses returns the kinds of stores that are explored by default. The first lacks nothing, the
// next lack copies inside the store, conditional removals or different revisions for equal content,
// and the last lacks all of these.
func Weaknesses() []Weakness {
	return []Weakness{
		{Name: "full"},
		{Name: "no-copies", Lacks: serverCopies},
		{Name: "no-conditional-remove", Lacks: storage.ConditionalRemove},
		{Name: "equal-revisions", Lacks: oneStep, EqualRevisions: true},
		{Name: "weakest", Lacks: serverCopies | storage.ConditionalRemove, EqualRevisions: true},
	}
}
