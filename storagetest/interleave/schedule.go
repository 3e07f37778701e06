package interleave

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// patience is the time without a request after which an actor is considered to wait for ever.
	patience = 60 * 24 * time.Hour
	// maxSteps is the number of requests after which an actor is considered to repeat them for ever.
	maxSteps = 5000
	// givenUp is the text of a request that no longer waits.
	givenUp = "given up: its context is done"
	// outage is how long a store does not answer a process.
	outage = time.Minute
)

// A fault is what goes wrong with a request.
type fault int

const (
	noFault      fault = iota
	loseResponse       // takes effect, and its response is lost
	killProcess        // fails without an effect, and so do all later ones of its process
	failRequest        // fails without an effect
	beginOutage        // fails without an effect, and so do all later ones of its process to its store, for a while
)

// A pendingRequest is a request that waits for its turn.
type pendingRequest struct {
	actor   *Actor
	request *request
	batch   int // number of the step before which it arrived
	granted chan struct{}
	fault   fault
	event   int // index in the trace
}

// An event is a line of a printed schedule.
type event struct {
	who     string
	request *request // or nil
	text    string   // what happened instead of, or besides, the request
	err     error
}

// String returns a line with the actor, the request, what happened to it, and its error. An event without
// a request has only the actor and a text.
func (e event) String() string {
	line := fmt.Sprintf("%-8s ", e.who)
	if e.request == nil {
		return line + e.text
	}
	line += e.request.String()
	if e.text != "" {
		line += " <- " + e.text
	}
	if e.err != nil {
		return line + " -> " + shortError(e.err)
	}
	return line
}

// shortError returns the Code of a store's error, or else the whole text.
func shortError(err error) string {
	var storageErr *storage.Error
	if errors.As(err, &storageErr) {
		return storageErr.Code.Error()
	}
	return err.Error()
}

// An interruption is why an actor with a waiting request does not continue.
type interruption struct {
	request   *request // the request that waits
	disturbed bool     // true if a later event matters to that request: both orders have different effects
}

// A schedule runs one scene in one order.
type schedule struct {
	ctx    context.Context
	choose func(step int, options []option) int

	tick   time.Duration
	actors []*Actor

	mu       sync.Mutex // protects the fields below; never held during a request
	running  bool
	cut      bool // the rest of this run is the same as that of another one
	parked   []*pendingRequest
	trace    []event
	failures []string
	ended    int
	step     int
	changes  int

	arrived chan struct{} // has capacity 1
	current *Actor
	budget  Budget // what is left
	choices []int
	offered [][]option // the options of each choice
}

// An option is what may happen next.
type option struct {
	run        *pendingRequest
	fault      fault
	interrupts bool
	timePasses bool
	affordable bool
}

func newSchedule(ctx context.Context, b Budget, choose func(step int, options []option) int) *schedule {
	return &schedule{ctx: ctx, budget: b, choose: choose, arrived: make(chan struct{}, 1)}
}

// storeTime is the clock of stores, which goes on by a millisecond each time it is read.
func (s *schedule) storeTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	return time.Now().Add(time.Duration(s.changes) * time.Millisecond)
}

// isFree reports whether requests take effect at once, because the actors do not run yet or any more.
func (s *schedule) isFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.running
}

// fail records a failure, unless the run was cut off.
func (s *schedule) fail(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cut {
		s.failures = append(s.failures, strings.TrimSpace(message))
	}
}

// park adds a request to those that wait for their turn. It returns (nil, nil) if the request takes effect
// at once because the schedule does not run, and an error if the request fails at once.
func (s *schedule) park(ctx context.Context, p *Process, r *request) (*pendingRequest, error) {
	actor := p.actor(ctx)

	s.mu.Lock()
	// A dead process sends no requests. If its goroutine repeats the call forever, endDead ends it.
	if p.dead {
		p.deadCalls++
		calls := p.deadCalls
		s.mu.Unlock()
		endDead(calls)
		return nil, died(r)
	}

	// Before and after the run, requests take effect at once.
	if !s.running {
		s.mu.Unlock()
		return nil, nil
	}

	// During an outage, the store does not answer this process.
	hasOutage := time.Now().Before(p.outages[r.store])
	if hasOutage {
		err := unanswered()
		actor.unanswered = true
		s.trace = append(s.trace, event{who: actor.name, request: r, err: err})
		s.mu.Unlock()
		return nil, err
	}

	// The request waits until the schedule grants it. Requests that are parked during one step are a batch.
	w := &pendingRequest{actor: actor, request: r, batch: s.step, granted: make(chan struct{})}
	s.parked = append(s.parked, w)
	s.mu.Unlock()
	s.signal()
	return w, nil
}

// signal wakes waitForActors, if no signal is pending.
func (s *schedule) signal() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// withdraw removes a request whose context is done. It returns false if the request was already
// granted.
func (s *schedule) withdraw(w *pendingRequest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := slices.Index(s.parked, w)
	if index < 0 {
		return false
	}
	s.parked = slices.Delete(s.parked, index, index+1)
	s.trace = append(s.trace, event{who: w.actor.name, request: w.request, text: givenUp})

	// Goroutines whose contexts end at the same time arrive in any order. Sort their events at the end
	// of the trace, so that the trace of a schedule is always the same.
	start := len(s.trace)
	for start > 0 && s.trace[start-1].text == givenUp {
		start--
	}
	slices.SortStableFunc(s.trace[start:], func(a, b event) int { return strings.Compare(a.String(), b.String()) })
	return true
}

// report notes the error of a request.
func (s *schedule) report(w *pendingRequest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace[w.event].err = err
}

// run starts the actors and takes steps until the run has ended.
func (s *schedule) run() {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()

	for _, a := range s.actors {
		s.start(a)
		// Wait until the actor waits for its first request, or has ended.
		synctest.Wait()
	}
	for s.next() {
	}

	s.stop()
	s.settle()
}

// settle waits until all actors have ended, which retries may delay. Requests no longer wait.
func (s *schedule) settle() {
	for synctest.Wait(); !s.haveAllEnded(); synctest.Wait() {
		if !s.waitForActors(patience) {
			return
		}
	}
}

// waitForActors waits until an actor sends a request or ends. It returns false if none does within
// d.
func (s *schedule) waitForActors(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.arrived:
		return true
	case <-timer.C:
		return false
	}
}

// start starts the goroutine of an actor.
func (s *schedule) start(a *Actor) {
	ctx, cancel := context.WithCancelCause(context.WithValue(s.ctx, actorKey{}, a))
	a.process.cancels = append(a.process.cancels, cancel)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				s.fail(fmt.Sprintf("%s panics: %v\n%s", a.name, r, stack()))
			}
			s.recordEnd(a)
			cancel(nil)
			s.signal()
		}()
		a.err = a.do(ctx)
	}()
}

// recordEnd records that the goroutine of an actor has ended, and whether because its process died.
func (s *schedule) recordEnd(a *Actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.hasEnded = true
	a.died = a.process.dead
	a.lastStep = s.step
	s.ended++
}

// next takes one step, and returns false when the run has ended.
func (s *schedule) next() bool {
	synctest.Wait()
	if s.isBroken() {
		return false
	}

	requests := s.nextRequests()
	if len(requests) > 0 {
		if s.step >= maxSteps {
			s.fail(fmt.Sprintf("no end after %d requests", maxSteps))
			return false
		}
		s.takeStep(requests)
		return true
	}

	if s.haveAllEnded() {
		return false
	}
	// An actor that waits for the time of a retry sends a request later.
	if s.waitForActors(patience) {
		return true
	}

	// The actors wait for each other, so the failure names those that have not ended.
	var names []string
	for _, a := range s.actors {
		if !a.hasEnded {
			names = append(names, a.name)
		}
	}
	s.fail(fmt.Sprintf("waits for ever: %s\n%s", strings.Join(names, ", "), stack()))
	return false
}

// isBroken reports whether the run ends before its actors do.
func (s *schedule) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cut || len(s.failures) > 0
}

// haveAllEnded reports whether all actors have ended.
func (s *schedule) haveAllEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == len(s.actors)
}

// nextRequests returns the next request of each actor, with that of the current actor first.
func (s *schedule) nextRequests() []*pendingRequest {
	s.mu.Lock()
	defer s.mu.Unlock()

	// The requests of one step are in the order of their texts, because the goroutines of an actor may arrive
	// in any order.
	slices.SortStableFunc(s.parked, func(a, b *pendingRequest) int {
		if a.batch != b.batch {
			return a.batch - b.batch
		}
		return strings.Compare(a.request.String(), b.request.String())
	})

	// Only the first request of an actor is next.
	var requests []*pendingRequest
	for _, w := range s.parked {
		isSameActor := func(earlier *pendingRequest) bool { return earlier.actor == w.actor }
		if !slices.ContainsFunc(requests, isSameActor) {
			requests = append(requests, w)
		}
	}
	slices.SortStableFunc(requests, func(a, b *pendingRequest) int { return s.rank(a.actor) - s.rank(b.actor) })
	return requests
}

// rank returns the place of an actor in the order of the options: first the current actor, then those of
// the scene, and last the actors of background requests.
func (s *schedule) rank(a *Actor) int {
	if a == s.current {
		return -1
	}
	if i := slices.Index(s.actors, a); i >= 0 {
		return i
	}
	return len(s.actors)
}

// options returns all events that may happen next. Those that the budget does not afford are among
// them, marked as such, so that the index of an event is the same for each budget.
func (s *schedule) options(requests []*pendingRequest) []option {
	isWrite := func(r *request) bool { return len(r.writes) > 0 }
	isRead := func(r *request) bool { return len(r.writes) == 0 }
	isAny := func(*request) bool { return true }

	// The process of the current actor can die while its request waits.
	currentWaits := requests[0].actor == s.current
	death := option{
		run:        requests[0],
		fault:      killProcess,
		affordable: currentWaits && s.budget.Deaths > 0,
	}
	tick := option{
		timePasses: true,
		affordable: s.tick > 0 && s.budget.Ticks > 0,
	}

	// The order must stay the same, because a printed schedule has the index of each choice.
	runs := s.runOptions(requests)
	return slices.Concat(
		runs,
		withFault(runs, loseResponse, s.budget.Losses, isWrite),
		[]option{death, tick},
		withFault(runs, failRequest, s.budget.Failures, isRead),
		withFault(runs, beginOutage, s.budget.Outages, isAny),
	)
}

// runOptions returns one option for each request: that it runs next. If the current actor has a request, that
// is the first one, and the option of any other request interrupts the current actor.
func (s *schedule) runOptions(requests []*pendingRequest) []option {
	currentWaits := requests[0].actor == s.current
	var runs []option
	for i, req := range requests {
		interrupts := currentWaits && i > 0
		runs = append(runs, option{
			run:        req,
			interrupts: interrupts,
			affordable: !interrupts || s.budget.Interruptions > 0,
		})
	}
	return runs
}

// withFault returns the options of runs with the fault f, such as a lost response. An option stays
// affordable only if budget is left for that fault and the request suits it.
func withFault(runs []option, f fault, budget int, suits func(*request) bool) []option {
	options := slices.Clone(runs)
	for i := range options {
		o := &options[i]
		o.fault = f
		o.affordable = o.affordable && budget > 0 && suits(o.run.request)
	}
	return options
}

// takeStep chooses what happens next, and lets it happen: time passes, a process dies, or one of the waiting
// requests continues.
func (s *schedule) takeStep(requests []*pendingRequest) {
	options := s.options(requests)
	choice := s.choose(len(s.choices), options)
	if choice >= len(options) {
		s.fail(fmt.Sprintf("choice %d is not one of %d: this schedule is of another scene", len(s.choices)+1, len(options)))
		return
	}

	// Record the choice, so that the run can be repeated.
	s.choices = append(s.choices, choice)
	s.offered = append(s.offered, options)

	chosen := options[choice]
	if chosen.timePasses {
		s.passTime()
		return
	}
	if chosen.interrupts {
		// The first request is that of the current actor, which another actor interrupts.
		s.budget.Interruptions--
		s.current.interrupted = &interruption{request: requests[0].request}
	}
	if chosen.fault == killProcess {
		s.killBefore(chosen.run)
		return
	}
	s.runRequest(chosen.run, chosen.fault)
}

// passTime lets the time of one tick pass.
func (s *schedule) passTime() {
	s.budget.Ticks--
	s.disturb(nil)
	s.addEvent("time", "passes: "+s.tick.String())
	time.Sleep(s.tick)
}

// killBefore kills the process of a request that has not taken effect.
func (s *schedule) killBefore(w *pendingRequest) {
	s.budget.Deaths--
	s.addEvent(w.actor.name, "dies before "+w.request.String())
	s.kill(w.actor.process)
	s.current = nil
}

// runRequest lets a request continue, with the fault f, or cuts the run off if another run has the same
// effects.
func (s *schedule) runRequest(w *pendingRequest, f fault) {
	fails := f == failRequest || f == beginOutage
	if isRepetition(w, fails) {
		// Another run tests the same effects, so this one need not continue.
		s.mu.Lock()
		s.cut = true
		s.mu.Unlock()
		return
	}

	w.actor.interrupted = nil
	if !fails {
		s.disturb(w.request)
	}
	s.grant(w, f)
}

// isRepetition reports whether the run in which a request came before its interruption has the same
// effects. That is so if the request fails, or if its order with the requests in between does not matter.
func isRepetition(w *pendingRequest, fails bool) bool {
	interrupted := w.actor.interrupted
	wasInterrupted := interrupted != nil && interrupted.request == w.request
	return wasInterrupted && (fails || !interrupted.disturbed)
}

// grant lets a request continue, with the fault f, and records that in the trace.
func (s *schedule) grant(w *pendingRequest, f fault) {
	s.mu.Lock()
	s.current = w.actor
	s.step++
	if w.actor.firstStep == 0 {
		w.actor.firstStep = s.step
	}

	s.parked = slices.DeleteFunc(s.parked, func(p *pendingRequest) bool { return p == w })
	w.fault = f
	w.event = len(s.trace)
	text := s.recordFault(w, f)
	s.trace = append(s.trace, event{who: w.actor.name, request: w.request, text: text})
	s.mu.Unlock()
	close(w.granted)
}

// recordFault deducts a fault from the budget, and records it in the request's actor. It returns a text for
// the trace, or "" for noFault. The caller holds s.mu.
func (s *schedule) recordFault(w *pendingRequest, f fault) string {
	switch f {
	case loseResponse:
		s.budget.Losses--
		w.actor.lostResponse = true
		return "the response is lost"
	case failRequest:
		s.budget.Failures--
		w.actor.unanswered = true
		return "the store does not answer"
	case beginOutage:
		s.budget.Outages--
		w.actor.unanswered = true
		w.actor.process.outages[w.request.store] = time.Now().Add(outage)
		return "the store stops answering this process for " + outage.String()
	}
	return ""
}

// disturb marks the interrupted requests whose order with r matters. If r is nil, time has passed,
// which disturbs all of them.
func (s *schedule) disturb(r *request) {
	for _, a := range s.actors {
		if a.interrupted == nil {
			continue
		}
		if r == nil || !r.commutes(a.interrupted.request) {
			a.interrupted.disturbed = true
		}
	}
}

// addEvent adds a line without a request to the trace.
func (s *schedule) addEvent(who, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, event{who: who, text: what})
}

// kill ends a process: all its requests fail, and the contexts of its actors are canceled.
func (s *schedule) kill(p *Process) {
	s.mu.Lock()
	p.dead = true
	s.parked = slices.DeleteFunc(s.parked, func(w *pendingRequest) bool {
		if w.actor.process != p {
			return false
		}
		w.fault = killProcess
		close(w.granted)
		return true
	})
	s.mu.Unlock()

	for _, cancel := range p.cancels {
		cancel(ErrDied)
	}
}

// stop ends the run. It lets the waiting requests and all later ones take effect at once. If the run has
// failed or was cut off, it first kills all processes, so that these requests fail.
func (s *schedule) stop() {
	if s.isBroken() {
		processes := make(map[*Process]bool)
		for _, a := range s.actors {
			processes[a.process] = true
		}
		for p := range processes {
			s.kill(p)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for _, w := range s.parked {
		close(w.granted)
	}
	s.parked = nil
}

// replayChoices returns a function that repeats these choices, and then chooses 0.
func replayChoices(choices []int) func(int, []option) int {
	return func(step int, _ []option) int {
		if step >= len(choices) {
			return 0
		}
		return choices[step]
	}
}

// randomChoices returns a function that chooses at random, but continues the current actor at least
// two times of three. A process that is always interrupted would seldom do two things one after the
// other.
func randomChoices(seed uint64) func(int, []option) int {
	const continueCurrent = 0 // index of the option that lets the current actor continue
	dice := rand.New(rand.NewPCG(seed, 0))
	return func(_ int, options []option) int {
		if dice.IntN(3) > 0 {
			return continueCurrent
		}
		choice := dice.IntN(len(options))
		if !options[choice].affordable {
			return continueCurrent
		}
		return choice
	}
}
