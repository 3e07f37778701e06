package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// during returns a call of a history, which has begun and ended at these times.
func during(begun, end int, step Step) *pastCall {
	return &pastCall{begun: begun, end: end, step: step}
}

// Explained says whether some order of the calls explains what they returned. Two calls may take effect in either
// order only if their times overlap.
func TestHistoryExplained(t *testing.T) {
	// All calls are for one object. during(1, 4, step) is a call that began at the time 1 and ended at the time 4. An
	// upload in parts is completed by a call of Complete, which may be repeated. Then the object has this content:
	const upload = "upload"
	tests := []struct {
		name  string
		calls []*pastCall
		want  bool // whether an order of the calls explains all steps
	}{
		{
			name:  "one after the other",
			calls: []*pastCall{during(1, 2, Wrote("a")), during(3, 4, Saw("a"))},
			want:  true,
		},
		{
			name:  "a read of what was replaced",
			calls: []*pastCall{during(1, 2, Wrote("a")), during(3, 4, Wrote("b")), during(5, 6, Saw("a"))},
			want:  false,
		},
		{
			name:  "a read beside a write",
			calls: []*pastCall{during(1, 2, Wrote("a")), during(3, 6, Wrote("b")), during(4, 5, Saw("a"))},
			want:  true,
		},
		{
			name: "two completions, one object",
			calls: []*pastCall{
				during(1, 4, CompletedWith(upload)),
				during(2, 3, CompletedWith(upload)),
				during(5, 6, Saw(upload)),
			},
			want: true,
		},
		{
			name: "a removed object is back",
			calls: []*pastCall{
				during(1, 2, CompletedWith(upload)),
				during(3, 4, Wrote("")),
				during(5, 6, CompletedWith(upload)),
			},
			want: false,
		},
		{
			name: "a removed object is back, and nobody says so",
			calls: []*pastCall{
				during(1, 2, CompletedWith(upload)),
				during(3, 4, Wrote("")),
				during(5, 6, FoundEnded(upload)),
				during(7, 8, Saw(upload)),
			},
			want: false,
		},
		{
			name: "a newer object is replaced",
			calls: []*pastCall{
				during(1, 8, CompletedWith(upload)),
				during(2, 3, Saw(upload)),
				during(4, 5, Wrote("newer")),
				during(6, 7, Saw("newer")),
				during(9, 10, Saw(upload)),
			},
			want: false,
		},
		{
			name:  "an upload that nobody completed has ended",
			calls: []*pastCall{during(1, 2, Wrote("a")), during(3, 4, FoundEnded(upload))},
			want:  false,
		},
		{
			name: "an upload that ended may have made nothing",
			calls: []*pastCall{
				during(1, 4, EndedUnknown(upload)),
				during(2, 3, Wrote("a")),
				during(5, 6, Saw("a")),
				during(7, 8, FoundEnded(upload)),
			},
			want: true,
		},
		{
			name: "an upload that ended may have made its object",
			calls: []*pastCall{
				during(1, 6, EndedUnknown(upload)),
				during(2, 3, Saw(upload)),
				during(4, 5, Wrote("a")),
			},
			want: true,
		},
		{
			name: "an upload that ended makes no object later",
			calls: []*pastCall{
				during(1, 2, EndedUnknown(upload)),
				during(3, 4, Wrote("a")),
				during(5, 6, Saw(upload)),
			},
			want: false,
		},
		{
			name: "an upload has ended because its object was replaced",
			calls: []*pastCall{
				during(1, 6, CompletedWith(upload)),
				during(2, 5, Wrote("a")),
				during(3, 4, FoundEnded(upload)),
			},
			want: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &History{calls: tt.calls}
			noObject := KeyState{}
			require.Equal(t, tt.want, h.Explained(noObject), "%v", h)
		})
	}
}
