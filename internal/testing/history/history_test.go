package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Explained says whether some order of the calls explains what they returned. Two calls may take effect in either
// order only if their times overlap. The numbers of a call are the times of its begin and its end.
func TestHistoryExplained(t *testing.T) {
	const upload = "upload"
	tests := []struct {
		name  string
		calls []*pastCall
		want  bool
	}{
		{
			name:  "one after the other",
			calls: []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, Saw("a")}},
			want:  true,
		},
		{
			name:  "a read of what was replaced",
			calls: []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, Wrote("b")}, {"", 5, 6, Saw("a")}},
			want:  false,
		},
		{
			name:  "a read beside a write",
			calls: []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 6, Wrote("b")}, {"", 4, 5, Saw("a")}},
			want:  true,
		},
		{
			name: "two completions, one object",
			calls: []*pastCall{
				{"", 1, 4, CompletedWith(upload)},
				{"", 2, 3, CompletedWith(upload)},
				{"", 5, 6, Saw(upload)},
			},
			want: true,
		},
		{
			name: "a removed object is back",
			calls: []*pastCall{
				{"", 1, 2, CompletedWith(upload)},
				{"", 3, 4, Wrote("")},
				{"", 5, 6, CompletedWith(upload)},
			},
			want: false,
		},
		{
			name: "a removed object is back, and nobody says so",
			calls: []*pastCall{
				{"", 1, 2, CompletedWith(upload)},
				{"", 3, 4, Wrote("")},
				{"", 5, 6, FoundEnded(upload)},
				{"", 7, 8, Saw(upload)},
			},
			want: false,
		},
		{
			name: "a newer object is replaced",
			calls: []*pastCall{
				{"", 1, 8, CompletedWith(upload)},
				{"", 2, 3, Saw(upload)},
				{"", 4, 5, Wrote("newer")},
				{"", 6, 7, Saw("newer")},
				{"", 9, 10, Saw(upload)},
			},
			want: false,
		},
		{
			name:  "an upload that nobody completed has ended",
			calls: []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, FoundEnded(upload)}},
			want:  false,
		},
		{
			name: "an upload that ended may have made nothing",
			calls: []*pastCall{
				{"", 1, 4, EndedUnknown(upload)},
				{"", 2, 3, Wrote("a")},
				{"", 5, 6, Saw("a")},
				{"", 7, 8, FoundEnded(upload)},
			},
			want: true,
		},
		{
			name: "an upload that ended may have made its object",
			calls: []*pastCall{
				{"", 1, 6, EndedUnknown(upload)},
				{"", 2, 3, Saw(upload)},
				{"", 4, 5, Wrote("a")},
			},
			want: true,
		},
		{
			name: "an upload that ended makes no object later",
			calls: []*pastCall{
				{"", 1, 2, EndedUnknown(upload)},
				{"", 3, 4, Wrote("a")},
				{"", 5, 6, Saw(upload)},
			},
			want: false,
		},
		{
			name: "an upload has ended because its object was replaced",
			calls: []*pastCall{
				{"", 1, 6, CompletedWith(upload)},
				{"", 2, 5, Wrote("a")},
				{"", 3, 4, FoundEnded(upload)},
			},
			want: true,
		},
	}
	for _, tt := range tests {
		h := &History{calls: tt.calls}
		require.Equal(t, tt.want, h.Explained(KeyState{}), "%s\n%v", tt.name, h)
	}
}
