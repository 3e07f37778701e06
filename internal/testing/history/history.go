// Package history checks whether concurrent calls on one key are linearizable: whether their
// results are possible if the calls took effect one after the other.
package history

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A History records the calls of several clients on one key. It is linearizable if some order of
// the calls explains all results. In that order, each call takes effect at one moment between its
// beginning and its end.
type History struct {
	mu    sync.Mutex
	now   int
	calls []*pastCall
}

// A pastCall is a call that has ended, with its result.
type pastCall struct {
	name       string
	begun, end int // values of History.now
	step       Step
}

// A Step describes the result of a call as a function. The function receives the state of the key
// before the call, and returns each state that is possible after the call. If the result is
// impossible in the received state, the function returns no state.
type Step func(KeyState) []KeyState

// A KeyState is the state of the key at one moment.
type KeyState struct {
	Content   string // content of the object; "" means that no object exists
	completed bool   // true if the upload was completed
}

// Recorded is the type of a function that makes a call. The function returns a text that describes
// the call and its result. It also returns the [Step] that describes the result.
type Recorded func() (string, Step)

// Do makes a call, and records it with its result and the times of its beginning and end.
func (h *History) Do(call Recorded) {
	begun := h.tick()
	name, step := call()
	end := h.tick()

	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, &pastCall{
		name:  name,
		begun: begun,
		end:   end,
		step:  step,
	})
}

// tick returns the next moment of the history, which counts the beginnings and ends of its calls.
func (h *History) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	return h.now
}

// Explained reports whether some order of the calls explains all results. src is the
// state of the key before the first call.
func (h *History) Explained(src KeyState) bool { return explain(h.calls, src) }

// explain reports whether some order of the calls explains their results, if the key has the given
// state before the first call. A call cannot be the first if another one ended before it began.
func explain(calls []*pastCall, state KeyState) bool {
	if len(calls) == 0 {
		return true
	}

	firstEnded := slices.MinFunc(calls, func(a, b *pastCall) int { return a.end - b.end })
	for i, call := range calls {
		canBeFirst := call.begun <= firstEnded.end
		if !canBeFirst {
			continue
		}
		otherCalls := slices.Concat(calls[:i], calls[i+1:])
		for _, nextState := range call.step(state) {
			if explain(otherCalls, nextState) {
				return true
			}
		}
	}
	return false
}

// String returns the calls in the order in which they began.
func (h *History) String() string {
	calls := slices.SortedFunc(slices.Values(h.calls), func(a, b *pastCall) int { return a.begun - b.begun })
	var text strings.Builder
	for _, call := range calls {
		fmt.Fprintf(&text, "%3d to %3d  %s\n", call.begun, call.end, call.name)
	}
	return text.String()
}

// Wrote returns the Step of a write that stored the given content. If content is "", it returns the
// Step of a removal.
func Wrote(content string) Step {
	return func(s KeyState) []KeyState { return []KeyState{{content, s.completed}} }
}

// Saw returns the Step of a read that returned content.
func Saw(content string) Step {
	return func(s KeyState) []KeyState { return s.only(s.Content == content) }
}

// CompletedWith returns the Step of a successful call of Complete. content is the
// content of the object, which was made by this call or by an earlier call of Complete.
func CompletedWith(content string) Step {
	return func(s KeyState) []KeyState {
		return KeyState{content, true}.only(!s.completed || s.Content == content)
	}
}

// FoundEnded returns the Step of a call of Complete that failed because the upload had already
// ended. This failure shows that the object has other content than the given one, or does not
// exist. If the object had the given content, Complete would have succeeded.
func FoundEnded(content string) Step {
	return func(s KeyState) []KeyState { return s.only(s.completed && s.Content != content) }
}

// EndedUnknown returns the Step of a call of Complete for an upload that had already ended. The
// call did not learn whether the upload made the object. Another write may have replaced the
// object.
func EndedUnknown(content string) Step {
	return func(s KeyState) []KeyState {
		return append(FoundEnded(content)(s), append(CompletedWith(content)(s), KeyState{s.Content, true})...)
	}
}

// only returns s as the only next state if possible is true, and no state otherwise.
func (s KeyState) only(possible bool) []KeyState {
	if !possible {
		return nil
	}
	return []KeyState{s}
}
