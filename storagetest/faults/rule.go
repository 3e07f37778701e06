package faults

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
)

// A Rule describes a fault and the calls that it applies to. [Fail], [DropResponse], [Cut],
// [Stall], [StallBody], [SlowBody], [Delay] and [Corrupt] return a Rule that applies to each call of
// the given kind. The methods of a Rule select some of these calls. Each method returns a changed
// copy:
//
//	faults.Fail(faults.Put).Nth(2)
//	faults.DropResponse(faults.Writes).Chance(0.01, seed)
//	faults.Cut(faults.Get, 1000).ForKey("a").WithError(io.EOF)
type Rule struct {
	name   string
	kind   kind
	calls  Calls
	key    string
	when   when
	n      int     // argument of Nth, First or Every
	p      float64 // probability from Chance, between 0 and 1
	seed   uint64
	amount int64 // offset in the body, or bytes a second for SlowBody
	wait   time.Duration
	err    error
}

type kind int

const (
	fail kind = iota
	dropResponse
	cut
	stall
	stallBody
	slowBody
	delay
	corrupt
)

type when int

const (
	always when = iota
	nth
	first
	every
	chance
)

// Fail makes the call fail before it has any effect, with a retryable [storage.Unavailable].
func Fail(calls Calls) Rule { return Rule{kind: fail, calls: calls} }

// DropResponse lets the call take effect, but drops its response. The body of a Put is read to its
// end. The call then fails with a retryable [storage.Unavailable]. For a call in [Writes], the
// error has Unknown set. If the call itself fails, its own error is returned.
func DropResponse(calls Calls) Rule { return Rule{kind: dropResponse, calls: calls} }

// Cut drops the connection in the middle of a body. The body of a Get ends with
// [io.ErrUnexpectedEOF] after the given number of bytes. A Put, a PutPart, or a CompleteParts with
// a last part reads that many bytes of its body. It then fails with [storage.Unavailable] and
// stores nothing. Other calls are not changed.
func Cut(calls Calls, offset int64) Rule { return Rule{kind: cut, calls: calls, amount: offset} }

// Stall makes the call wait until its ctx is done, and then fail with ctx's error.
func Stall(calls Calls) Rule { return Rule{kind: stall, calls: calls} }

// StallBody stalls the body of a Get after the given number of bytes. Read then blocks until ctx is
// done or the body is closed.
func StallBody(offset int64) Rule { return Rule{kind: stallBody, calls: Get, amount: offset} }

// SlowBody makes the body of a Get return rate bytes a second. It waits with the function of
// [Injector.SetSleep].
func SlowBody(rate int64) Rule { return Rule{kind: slowBody, calls: Get, amount: rate} }

// Delay delays the beginning of the call. It waits with the function of [Injector.SetSleep].
func Delay(calls Calls, d time.Duration) Rule { return Rule{kind: delay, calls: calls, wait: d} }

// Corrupt changes the byte at the given offset in the body of a Get, a Put, a PutPart, or a
// CompleteParts with a last part.
//
// A shorter body is not changed.
func Corrupt(calls Calls, offset int64) Rule {
	return Rule{kind: corrupt, calls: calls, amount: offset}
}

// Nth restricts r to the n-th matching call, counted from 1.
func (r Rule) Nth(n int) Rule {
	r.when = nth
	r.n = n
	return r
}

// First restricts r to the first n matching calls.
func (r Rule) First(n int) Rule {
	r.when = first
	r.n = n
	return r
}

// Every restricts r to every n-th matching call.
func (r Rule) Every(n int) Rule {
	r.when = every
	r.n = max(n, 1)
	return r
}

// Chance restricts r to matching calls that are drawn with probability p, between 0 and 1. The same
// seed and order of calls draw the same calls.
func (r Rule) Chance(p float64, seed uint64) Rule {
	r.when = chance
	r.p = p
	r.seed = seed
	return r
}

// ForKey restricts r to calls with this key. For a List, the key is the prefix. For a DeleteBatch,
// it is the key of the first request.
func (r Rule) ForKey(key string) Rule { r.key = key; return r }

// WithError replaces the default error of the fault.
func (r Rule) WithError(err error) Rule { r.err = err; return r }

// WithName sets the name of the fault in errors and records.
func (r Rule) WithName(name string) Rule { r.name = name; return r }

// String returns the name of the rule, or a description such as "Fail(Put) call 2" if it has none.
func (r Rule) String() string {
	if r.name != "" {
		return r.name
	}

	var s string
	switch r.kind {
	case fail:
		s = fmt.Sprintf("Fail(%v)", r.calls)
	case dropResponse:
		s = fmt.Sprintf("DropResponse(%v)", r.calls)
	case cut:
		s = fmt.Sprintf("Cut(%v, %d)", r.calls, r.amount)
	case stall:
		s = fmt.Sprintf("Stall(%v)", r.calls)
	case stallBody:
		s = fmt.Sprintf("StallBody(%d)", r.amount)
	case slowBody:
		s = fmt.Sprintf("SlowBody(%d)", r.amount)
	case delay:
		s = fmt.Sprintf("Delay(%v, %v)", r.calls, r.wait)
	case corrupt:
		s = fmt.Sprintf("Corrupt(%v, %d)", r.calls, r.amount)
	}

	switch r.when {
	case nth:
		s += fmt.Sprintf(" call %d", r.n)
	case first:
		s += fmt.Sprintf(" first %d calls", r.n)
	case every:
		s += fmt.Sprintf(" every %d calls", r.n)
	case chance:
		s += fmt.Sprintf(" chance %g seed %d", r.p, r.seed)
	}

	if r.key != "" {
		s += fmt.Sprintf(" for %q", r.key)
	}
	return s
}

// Injected is the cause of every error that a [Rule] injects. Find it with [errors.As].
type Injected struct {
	Rule string // the result of [Rule.String]
}

// Error returns a text that names the rule.
func (e *Injected) Error() string { return "injected fault: " + e.Rule }

// failure returns the error of a call that the rule makes fail: the rule's own error, or else a retryable
// one. If unknown is true, the call may have taken effect.
func (r Rule) failure(unknown bool) error {
	if r.err != nil {
		return r.err
	}
	return &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Unknown:   unknown,
		Err:       &Injected{Rule: r.String()},
	}
}

// bodyFailure returns the error with which the rule ends the body of a Get.
func (r Rule) bodyFailure() error {
	if r.err != nil {
		return r.err
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, &Injected{Rule: r.String()})
}

// An activeRule is a rule with the number of calls that have matched it. The lock of the Injector
// protects the fields.
type activeRule struct {
	rule  Rule
	count int
	dice  *rand.Rand
}

// newActiveRules returns the rules, which have matched no call yet.
func newActiveRules(rules []Rule) []*activeRule {
	active := make([]*activeRule, len(rules))
	for i, r := range rules {
		active[i] = &activeRule{rule: r, dice: rand.New(rand.NewPCG(r.seed, 0))}
	}
	return active
}

// appliesTo counts a call that matches the rule, and reports whether the rule's fault applies to
// it.
func (a *activeRule) appliesTo(call Calls, key string) bool {
	if a.rule.calls&call == 0 {
		return false
	}
	if a.rule.key != "" && a.rule.key != key {
		return false
	}

	a.count++
	switch a.rule.when {
	case nth:
		return a.count == a.rule.n
	case first:
		return a.count <= a.rule.n
	case every:
		return a.count%a.rule.n == 0
	case chance:
		return a.dice.Float64() < a.rule.p
	default:
		return true
	}
}
