package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A history is what several clients did with one key at once. It is linearizable if some order of
// the calls explains all results: each call has its effect at one moment before it ends.
type history struct {
	mu    sync.Mutex
	now   int
	calls []*pastCall
}

// A pastCall is one call that has ended.
type pastCall struct {
	name       string
	begun, end int // places in the history
	step       step
}

// A step returns the states that the key may have after a call, or none if the call's result is not
// possible in the state before it.
type step func(keyState) []keyState

// A keyState is the state of the key.
type keyState struct {
	content   string // "": there is no object
	completed bool   // the upload has ended
}

// A recorded call returns its name, with its result, and its step.
type recorded func() (string, step)

// do runs a call.
func (h *history) do(call recorded) {
	begun := h.tick()
	name, result := call()
	end := h.tick()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, &pastCall{name, begun, end, result})
}

func (h *history) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	return h.now
}

// explained reports whether some order of the calls explains all results.
func (h *history) explained(from keyState) bool { return explain(h.calls, from) }

// explain tries each call that may come first: one that began before any other ended.
func explain(calls []*pastCall, from keyState) bool {
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
func (h *history) String() string {
	calls := slices.SortedFunc(slices.Values(h.calls), func(a, b *pastCall) int { return a.begun - b.begun })
	var text strings.Builder
	for _, call := range calls {
		fmt.Fprintf(&text, "%3d to %3d  %s\n", call.begun, call.end, call.name)
	}
	return text.String()
}

// wrote is the step of a write or, with "", of a removal.
func wrote(content string) step {
	return func(s keyState) []keyState { return []keyState{{content, s.completed}} }
}

// saw is the step of a read.
func saw(content string) step {
	return func(s keyState) []keyState { return s.only(s.content == content) }
}

// completedWith is the step of a call of Complete that succeeded: it made the object, or found it.
func completedWith(content string) step {
	return func(s keyState) []keyState {
		return keyState{content, true}.only(!s.completed || s.content == content)
	}
}

// foundEnded is the step of a call of Complete that failed because the upload has ended.
func foundEnded(content string) step {
	return func(s keyState) []keyState { return s.only(s.completed && s.content != content) }
}

// endedUnknown is the step of a call of Complete that ended the upload, and cannot know whether it
// made the object, because that was replaced or was never there.
func endedUnknown(content string) step {
	return func(s keyState) []keyState {
		return append(foundEnded(content)(s), append(completedWith(content)(s), keyState{s.content, true})...)
	}
}

func (s keyState) only(possible bool) []keyState {
	if !possible {
		return nil
	}
	return []keyState{s}
}
