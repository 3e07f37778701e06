package interleave

import (
	"cmp"
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// defaultLimit is the default of Config.Limit.
const defaultLimit = 20_000

// hung is the real time without a step after which a run is considered to hang.
const hung = 2 * time.Minute

var (
	replay = flag.String("replay", "", "run only this schedule of package interleave, such as 0,0,1")
	verify = flag.Bool("interleave.verify", false, "run each schedule of package interleave twice, and compare the runs")
)

// Run explores a scene on each kind of store, in a subtest, which fails with the first schedule
// that fails and prints it. The test must not be parallel.
//
// With the flag -replay, Run runs only the given schedule and prints it. With the flag
// -interleave.verify, it runs each schedule twice, and fails if the runs differ, because the scene
// then depends on something that is not the same in each run.
func Run(t *testing.T, c Config, scene func(s *Scene)) {
	t.Helper()
	weaknesses := c.Weaknesses
	if weaknesses == nil {
		weaknesses = Weaknesses()
	}
	for _, weakness := range weaknesses {
		t.Run(weakness.Name, func(t *testing.T) {
			t.Helper()
			runOn(t, c, weakness, scene)
		})
	}
}

// runOn explores a scene on one kind of store, and fails if a schedule fails. With the flag -replay, it
// runs only the schedule of the flag.
func runOn(t *testing.T, c Config, w Weakness, scene func(s *Scene)) {
	t.Helper()
	if *replay != "" {
		repeat(t, w, scene)
		return
	}
	report := Explore(t, c, w, scene)
	if report.Failure != nil {
		t.Fatal(report.Failure)
	}
	t.Log(report)
}

// A Report is the result of [Explore].
type Report struct {
	Weakness  string
	Schedules int           // schedules that were run, with those that were cut off
	Cut       int           // schedules that were cut off because another one has the same effects
	Points    int           // largest number of requests of one schedule
	Time      time.Duration // real time
	Limited   bool          // true if Config.Limit ended the exploration
	Failure   *Failure      // nil if no schedule failed
}

// String returns the counts of the report in one line.
func (r *Report) String() string {
	text := fmt.Sprintf("interleave: %d schedules (%d cut off), up to %d points, %.2f s",
		r.Schedules, r.Cut, r.Points, r.Time.Seconds())
	if r.Limited {
		text += "; there are more than Config.Limit permits"
	}
	return text
}

// A Failure describes a schedule, which is an order of requests and faults, in which a check of the
// scene failed.
type Failure struct {
	Message  string   // of the first error
	Schedule []int    // for -replay
	Number   int      // number of the schedule; the first is 1
	Trace    []string // the requests, and who sent them
	test     string
}

// These are the numbers of requests that a failure shows at the beginning and at the end of a long schedule.
const (
	shownFirst = 40
	shownLast  = 20
)

// String returns the schedule and a command that repeats it. It leaves out the middle of a long
// schedule.
func (f *Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schedule %d fails: %s\n", f.Number, f.Message)

	shown := f.Trace
	if left := len(f.Trace) - shownFirst - shownLast; left > 0 {
		shown = slices.Concat(
			f.Trace[:shownFirst],
			[]string{fmt.Sprintf("… %d more", left)},
			f.Trace[len(f.Trace)-shownLast:],
		)
	}
	for _, line := range shown {
		fmt.Fprintf(&b, "    %s\n", line)
	}

	// The flag -run takes a regular expression for each level of subtests.
	var patterns []string
	for name := range strings.SplitSeq(f.test, "/") {
		patterns = append(patterns, "^"+regexp.QuoteMeta(name)+"$")
	}
	fmt.Fprintf(&b, "repeat it: go test -run '%s' . -args -replay %s",
		strings.Join(patterns, "/"), formatChoices(f.Schedule))
	return b.String()
}

// formatChoices returns choices as the flag -replay takes them. Without choices it returns "0",
// which is the same schedule.
func formatChoices(choices []int) string {
	texts := make([]string, len(choices))
	for i, choice := range choices {
		texts[i] = strconv.Itoa(choice)
	}
	return cmp.Or(strings.Join(texts, ","), "0")
}

// unlimited is a number in a Budget that no schedule exceeds.
const unlimited = 1 << 20

// repeat runs and prints the schedule of the flag -replay, which may exceed every budget.
func repeat(t *testing.T, w Weakness, scene func(s *Scene)) {
	t.Helper()
	var choices []int
	for text := range strings.SplitSeq(*replay, ",") {
		choice, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || choice < 0 {
			t.Fatalf("-replay must be a list of numbers such as 0,0,1, not %q", *replay)
		}
		choices = append(choices, choice)
	}

	budget := Budget{
		Interruptions: unlimited,
		Losses:        unlimited,
		Deaths:        unlimited,
		Ticks:         unlimited,
		Failures:      unlimited,
		Outages:       unlimited,
	}

	// As in Explore, equal requests then arrive in the same order in each run.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := runSchedule(t, w, scene, budget, replayChoices(choices))
	t.Logf("schedule %s:\n    %s", formatChoices(choices), strings.Join(s.lines(), "\n    "))
	if len(s.failures) > 0 {
		t.Fatal(s.failures[0])
	}
}

// Explore explores a scene on one kind of store, up to the first schedule that fails. It does not
// fail the test, and ignores c.Weaknesses.
func Explore(t *testing.T, c Config, w Weakness, scene func(s *Scene)) *Report {
	t.Helper()
	e := &exploration{t: t, weakness: w, scene: scene, report: &Report{Weakness: w.Name}}
	e.limit = cmp.Or(c.Limit, defaultLimit)

	budgets := c.Budgets
	if budgets == nil {
		budgets = Budgets()
	}

	stopWatchdog := e.watchdog()
	defer stopWatchdog()

	// Goroutines of one actor may make equal requests at once. On one processor, they arrive in the same order in
	// each run. The deferred call sets the earlier number again.
	processors := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(processors)

	// A run leaves much garbage and keeps little memory, so rare collections make it faster.
	percent := debug.SetGCPercent(800)
	defer debug.SetGCPercent(percent)

	start := time.Now()
	for _, b := range budgets {
		e.explore(b)
	}
	randomBudget := largestOf(budgets)
	for seed := range c.Random {
		e.random(randomBudget, uint64(seed))
	}
	e.report.Time = time.Since(start)
	return e.report
}

// largestOf returns the budget of random schedules, which has the most of each disturbance that one of the
// budgets has, and any number of interruptions.
func largestOf(budgets []Budget) Budget {
	largest := Budget{Interruptions: unlimited}
	for _, b := range budgets {
		largest.Losses = max(largest.Losses, b.Losses)
		largest.Deaths = max(largest.Deaths, b.Deaths)
		largest.Ticks = max(largest.Ticks, b.Ticks)
		largest.Failures = max(largest.Failures, b.Failures)
		largest.Outages = max(largest.Outages, b.Outages)
	}
	return largest
}

type exploration struct {
	t        *testing.T
	weakness Weakness
	scene    func(s *Scene)
	limit    int
	report   *Report
	runs     atomic.Int64
}

// explore runs all schedules of a budget, as a search in depth. The first makes choice 0 at every step.
// Each further one repeats the first choices of the one before, makes the next choice at one step, and
// then makes choice 0 at every step.
func (e *exploration) explore(b Budget) {
	maxSchedules := e.report.Schedules + e.limit // with those of earlier budgets
	var choices []int                            // those with which the next schedule begins
	for e.report.Failure == nil {
		if e.report.Schedules >= maxSchedules {
			e.report.Limited = true
			return
		}

		s := e.run(b, replayChoices(choices))
		choices = nextChoices(s.choices, s.offered)
		if choices == nil {
			return
		}
	}
}

// nextChoices returns the choices that begin the schedule after this one, or nil after the last schedule.
// offered has the options for each choice. nextChoices looks for the last choice that has a further option
// within the budget, takes that option, and cuts off the choices after it.
func nextChoices(choices []int, offered [][]option) []int {
	for i := len(choices) - 1; i >= 0; i-- {
		for choice := choices[i] + 1; choice < len(offered[i]); choice++ {
			if offered[i][choice].affordable {
				return append(slices.Clone(choices[:i]), choice)
			}
		}
	}
	return nil
}

// random runs a random schedule, unless a schedule has already failed.
func (e *exploration) random(b Budget, seed uint64) {
	if e.report.Failure != nil {
		return
	}
	e.run(b, randomChoices(seed))
}

// run runs one schedule and adds it to the report. With the flag -interleave.verify, it runs the schedule
// a second time, and compares the two runs.
func (e *exploration) run(b Budget, choose func(int, []option) int) *schedule {
	s := runSchedule(e.t, e.weakness, e.scene, b, choose)
	if *verify {
		s.compare(runSchedule(e.t, e.weakness, e.scene, b, replayChoices(s.choices)))
	}

	e.runs.Add(1)
	e.report.Schedules++
	e.report.Points = max(e.report.Points, s.step)
	if s.cut {
		e.report.Cut++
	}
	if len(s.failures) == 0 {
		return s
	}

	// The first choice is the default, so the last zeros can be left out.
	choices := slices.Clone(s.choices)
	for len(choices) > 0 && choices[len(choices)-1] == 0 {
		choices = choices[:len(choices)-1]
	}
	e.report.Failure = &Failure{
		Message:  s.failures[0],
		Schedule: choices,
		Number:   e.report.Schedules,
		Trace:    s.lines(),
		test:     e.t.Name(),
	}
	return s
}

// compare records a failure if another run of the same schedule had other requests.
func (s *schedule) compare(other *schedule) {
	want := s.lines()
	got := other.lines()
	for i := range max(len(want), len(got)) {
		// The shorter run has the line "".
		var wantLine, gotLine string
		if i < len(want) {
			wantLine = want[i]
		}
		if i < len(got) {
			gotLine = got[i]
		}
		if wantLine != gotLine {
			s.failures = append(s.failures, fmt.Sprintf("the same schedule has another run:\n%q\n%q", wantLine, gotLine))
			return
		}
	}
}

// lines returns the printed schedule, one event a line.
func (s *schedule) lines() []string {
	lines := make([]string, len(s.trace))
	for i, e := range s.trace {
		lines[i] = fmt.Sprintf("%3d %v", i+1, e)
	}
	return lines
}

// runSchedule runs a scene once, in its own synctest bubble. choose selects one of the options that are
// offered at each step.
func runSchedule(
	t *testing.T, w Weakness, scene func(s *Scene), b Budget, choose func(int, []option) int,
) *schedule {
	t.Helper()
	var s *schedule
	failure := bubble(t, func(t *testing.T) {
		// Each run must have the same random numbers, so that it can be repeated.
		cryptotest.SetGlobalRandom(t, 1)
		s = newSchedule(t.Context(), b, choose)
		s.runScene(&Scene{schedule: s, weakness: w, layered: make(map[string]*Store)}, scene)
	})
	if failure != "" {
		s.failures = append(s.failures, failure)
	}
	return s
}

// runScene sets up a scene, runs its actors, and makes its checks. Once the run has failed or was cut off, only
// the cleanups follow.
func (s *schedule) runScene(scene *Scene, build func(s *Scene)) {
	s.runInGoroutine("the scene", func() {
		build(scene)
	})

	if !s.isBroken() {
		s.run()
	}

	for _, check := range scene.checks {
		if !s.isBroken() {
			s.runInGoroutine("Check", check)
		}
	}
	for _, cleanup := range slices.Backward(scene.cleanups) {
		s.runInGoroutine("Cleanup", cleanup)
	}
}

// runInGoroutine calls do in another goroutine and waits for it, because FailNow ends the goroutine that
// calls it. A panic counts as a failure of the run.
func (s *schedule) runInGoroutine(name string, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				s.fail(fmt.Sprintf("%s panics: %v\n%s", name, r, stack()))
			}
		}()
		do()
	}()
	<-done
}

// bubble runs f in a synctest bubble. If goroutines remain at its end, it returns a text that shows
// them.
func bubble(t *testing.T, f func(t *testing.T)) (failure string) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Sprintf("goroutines remain after the end: %v\n%s", r, stack())
		}
	}()
	synctest.Test(t, f)
	return ""
}

// watchdog stops the program if no schedule ends for a long time, as when a goroutine waits for a
// lock held during a request.
//
// The result ends the watchdog.
func (e *exploration) watchdog() (end func()) {
	done := make(chan struct{})
	go e.watch(done)
	return func() { close(done) }
}

// watch panics if no run ends within the time hung. It returns when done is closed.
func (e *exploration) watch(done <-chan struct{}) {
	last := int64(-1) // number of runs when watch looked last
	for {
		select {
		case <-done:
			return
		case <-time.After(hung):
		}
		runs := e.runs.Load()
		hangs := runs == last
		if hangs {
			panic("interleave: a schedule hangs. No lock of package sync may be held during a request.\n" + stack())
		}
		last = runs
	}
}

// maxStacks is the number of goroutines that a failure shows.
const maxStacks = 8

var bubbleNumber = regexp.MustCompile(`synctest bubble (\d+)`)

// stack returns the stacks of the goroutines of the last bubble. Earlier bubbles, which have lower
// numbers, may still have goroutines.
func stack() string {
	const maxBytes = 1 << 20
	buf := make([]byte, maxBytes)
	buf = buf[:runtime.Stack(buf, true)]

	lastBubble := 0
	stacks := make(map[int][]string) // by the number of the bubble
	for goroutine := range strings.SplitSeq(string(buf), "\n\n") {
		isCaller := strings.Contains(goroutine, "interleave.stack(")
		if isCaller {
			continue
		}

		// A goroutine outside of bubbles has no number in its first line.
		head, _, _ := strings.Cut(goroutine, "\n")
		match := bubbleNumber.FindStringSubmatch(head)
		if match == nil {
			continue
		}
		number, err := strconv.Atoi(match[1])
		if err != nil {
			continue
		}
		lastBubble = max(lastBubble, number)
		stacks[number] = append(stacks[number], goroutine)
	}

	shown := stacks[lastBubble]
	return strings.Join(shown[:min(len(shown), maxStacks)], "\n\n")
}
