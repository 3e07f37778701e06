// Package history decides whether what several clients did with one key at once is linearizable.
package history

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A History is what several clients did with one key at once. It is linearizable if some order of
// the calls explains all results: each call has its effect at one moment before it ends.
type History struct {
	mu    sync.Mutex
	now   int
	calls []*pastCall
}

// A pastCall is one call that has ended.
type pastCall struct {
	name       string
	begun, end int // places in the history
	step       Step
}

// A Step returns the states that the key may have after a call, or none if the call's result is not
// possible in the state before it.
type Step func(KeyState) []KeyState

// A KeyState is the state of the key.
type KeyState struct {
	Content   string // "" means there is no object
	completed bool   // the upload has ended
}

// A Recorded call returns its name, with its result, and its step.
type Recorded func() (string, Step)

// Do runs a call.
func (h *History) Do(call Recorded) {
	begun := h.tick()
	name, result := call()
	end := h.tick()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, &pastCall{name, begun, end, result})
}

func (h *History) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	return h.now
}

// Explained reports whether some order of the calls explains all results.
func (h *History) Explained(from KeyState) bool { return explain(h.calls, from) }

// explain tries each call that may come first: one that began before any other ended.
func explain(calls []*pastCall, from KeyState) bool {
	if len(calls) == 0 {
		return true
	}
	first := slices.MinFunc(calls, func(a, b *pastCall) int { return a.end - b.end }).end
	for i, call := range calls {
		if call.begun > first {
			continue
		}
		for _, to := range call.step(from) {
			if explain(slices.Concat(calls[:i], calls[i+1:]), to) {
				return true
			}
		}
	}
	return false
}

// String returns the calls by their beginning.
func (h *History) String() string {
	calls := slices.SortedFunc(slices.Values(h.calls), func(a, b *pastCall) int { return a.begun - b.begun })
	var text strings.Builder
	for _, call := range calls {
		fmt.Fprintf(&text, "%3d to %3d  %s\n", call.begun, call.end, call.name)
	}
	return text.String()
}

// Wrote is the step of a write or, with "", of a removal.
func Wrote(content string) Step {
	return func(s KeyState) []KeyState { return []KeyState{{content, s.completed}} }
}

// Saw is the step of a read.
func Saw(content string) Step {
	return func(s KeyState) []KeyState { return s.only(s.Content == content) }
}

// CompletedWith is the step of a call of Complete that succeeded: it made the object, or found it.
func CompletedWith(content string) Step {
	return func(s KeyState) []KeyState {
		return KeyState{content, true}.only(!s.completed || s.Content == content)
	}
}

// FoundEnded is the step of a call of Complete that failed because the upload has ended.
func FoundEnded(content string) Step {
	return func(s KeyState) []KeyState { return s.only(s.completed && s.Content != content) }
}

// EndedUnknown is the step of a call of Complete that ended the upload, and cannot know whether it
// made the object, because that was replaced or was never there.
func EndedUnknown(content string) Step {
	return func(s KeyState) []KeyState {
		return append(FoundEnded(content)(s), append(CompletedWith(content)(s), KeyState{s.Content, true})...)
	}
}

func (s KeyState) only(possible bool) []KeyState {
	if !possible {
		return nil
	}
	return []KeyState{s}
}
