package faults

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
)

// A Rule says which calls meet which fault. It is made by Fail, DropResponse,
// Cut, Stall, StallBody, Delay or Corrupt, and narrowed by its methods, each of
// which returns a changed copy:
//
//	faults.Fail(faults.Put).Nth(2)
//	faults.DropResponse(faults.Writes).Chance(0.01, seed)
//	faults.Cut(faults.Get, 1000).ForKey("a").WithError(io.EOF)
//
// As it is made, it applies to every matching call.
type Rule struct {
	name string
	kind kind
	on   Calls
	key  string
	when when
	n    int     // of nth, first and every
	p    float64 // of chance
	seed uint64
	at   int64 // byte of the body
	wait time.Duration
	err  error
}

type kind int

const (
	fail kind = iota
	dropResponse
	cut
	stall
	stallBody
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

// Fail has the call fail before anything was done, with storage.Unavailable,
// retryable.
func Fail(on Calls) Rule { return Rule{kind: fail, on: on} }

// DropResponse lets the call do its work, the body of a Put read to its end, and
// then loses the answer: Unavailable, retryable and, of a call in Writes, with
// Unknown set. A call that fails by itself keeps its own error.
func DropResponse(on Calls) Rule { return Rule{kind: dropResponse, on: on} }

// Cut drops the connection in the middle of a body: of Get, after that many
// bytes were delivered, with io.ErrUnexpectedEOF; of Put, PutPart and a
// CompleteParts with a last part, after that many bytes of the caller's were
// read, with Unavailable, and nothing is stored. Other calls pass.
func Cut(on Calls, after int64) Rule { return Rule{kind: cut, on: on, at: after} }

// Stall has the call do nothing until its ctx is done, and then fail with
// ctx's error.
func Stall(on Calls) Rule { return Rule{kind: stall, on: on} }

// StallBody has the body of a Get deliver nothing more after that many bytes,
// until ctx is done or the body is closed.
func StallBody(after int64) Rule { return Rule{kind: stallBody, on: Get, at: after} }

// Delay has the call begin later, by the injector's clock (Injector.SetSleep).
func Delay(on Calls, by time.Duration) Rule { return Rule{kind: delay, on: on, wait: by} }

// Corrupt changes the byte at this offset of the body of a Get, Put, PutPart or
// CompleteParts with a last part; where the body is shorter nothing. Other calls
// pass.
func Corrupt(on Calls, at int64) Rule { return Rule{kind: corrupt, on: on, at: at} }

// Nth narrows r to the n-th matching call, counted from 1.
func (r Rule) Nth(n int) Rule { r.when, r.n = nth, n; return r }

// First narrows r to the first n matching calls.
func (r Rule) First(n int) Rule { r.when, r.n = first, n; return r }

// Every narrows r to each n-th matching call.
func (r Rule) Every(n int) Rule { r.when, r.n = every, max(n, 1); return r }

// Chance narrows r to matching calls drawn with probability p, from 0 to 1. The
// same seed and order of calls draw the same ones.
func (r Rule) Chance(p float64, seed uint64) Rule { r.when, r.p, r.seed = chance, p, seed; return r }

// ForKey narrows r to calls for this key; of a List the key is its prefix, of a
// DeleteBatch the first request's.
func (r Rule) ForKey(key string) Rule { r.key = key; return r }

// With sets the error that the fault gives, in place of its own.
func (r Rule) WithError(err error) Rule { r.err = err; return r }

// Named sets the name by which the fault stands in errors and records.
func (r Rule) WithName(name string) Rule { r.name = name; return r }

// String is the name, or what the rule does: "Fail(Put) 2nd call".
func (r Rule) String() string {
	if r.name != "" {
		return r.name
	}
	var s string
	switch r.kind {
	case fail:
		s = fmt.Sprintf("Fail(%v)", r.on)
	case dropResponse:
		s = fmt.Sprintf("DropResponse(%v)", r.on)
	case cut:
		s = fmt.Sprintf("Cut(%v, %d)", r.on, r.at)
	case stall:
		s = fmt.Sprintf("Stall(%v)", r.on)
	case stallBody:
		s = fmt.Sprintf("StallBody(%d)", r.at)
	case delay:
		s = fmt.Sprintf("Delay(%v, %v)", r.on, r.wait)
	case corrupt:
		s = fmt.Sprintf("Corrupt(%v, %d)", r.on, r.at)
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

// Injected is the cause (errors.As) of every error that a Rule made up.
type Injected struct {
	Rule string // the rule's String
}

// Error names the rule.
func (e *Injected) Error() string { return "injected fault: " + e.Rule }

// failure is what a call that r hits fails with.
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

// bodyFailure is what the body of a Get that r hits fails with.
func (r Rule) bodyFailure() error {
	if r.err != nil {
		return r.err
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, &Injected{Rule: r.String()})
}

// armed is a rule with its count of matching calls. The Injector's lock guards
// it.
type armed struct {
	Rule
	seen int
	dice *rand.Rand
}

func arm(rules []Rule) []*armed {
	list := make([]*armed, len(rules))
	for i, r := range rules {
		list[i] = &armed{Rule: r, dice: rand.New(rand.NewPCG(r.seed, 0))}
	}
	return list
}

// hits counts a call, and tells whether it is one that the rule is for.
func (a *armed) hits(call Calls, key string) bool {
	if a.on&call == 0 || a.key != "" && a.key != key {
		return false
	}
	a.seen++
	switch a.when {
	case nth:
		return a.seen == a.n
	case first:
		return a.seen <= a.n
	case every:
		return a.seen%a.n == 0
	case chance:
		return a.dice.Float64() < a.p
	}
	return true
}
