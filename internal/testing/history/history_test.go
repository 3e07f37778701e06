package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistoryExplained(t *testing.T) {
	const upload = "upload"
	tests := []struct {
		name  string
		calls []*pastCall
		want  bool
	}{
		{"one after the other", []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, Saw("a")}}, true},
		{"a read of what was replaced", []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, Wrote("b")}, {"", 5, 6, Saw("a")}}, false},
		{"a read beside a write", []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 6, Wrote("b")}, {"", 4, 5, Saw("a")}}, true},
		{"two completions, one object", []*pastCall{{"", 1, 4, CompletedWith(upload)}, {"", 2, 3, CompletedWith(upload)}, {"", 5, 6, Saw(upload)}}, true},
		{"a removed object is back", []*pastCall{{"", 1, 2, CompletedWith(upload)}, {"", 3, 4, Wrote("")}, {"", 5, 6, CompletedWith(upload)}}, false},
		{"a removed object is back, and nobody says so", []*pastCall{
			{"", 1, 2, CompletedWith(upload)}, {"", 3, 4, Wrote("")}, {"", 5, 6, FoundEnded(upload)}, {"", 7, 8, Saw(upload)},
		}, false},
		{"a newer object is replaced", []*pastCall{
			{"", 1, 8, CompletedWith(upload)}, {"", 2, 3, Saw(upload)}, {"", 4, 5, Wrote("newer")}, {"", 6, 7, Saw("newer")}, {"", 9, 10, Saw(upload)},
		}, false},
		{"an upload that nobody completed has ended", []*pastCall{{"", 1, 2, Wrote("a")}, {"", 3, 4, FoundEnded(upload)}}, false},
		{"an upload that ended may have made nothing", []*pastCall{{"", 1, 4, EndedUnknown(upload)}, {"", 2, 3, Wrote("a")}, {"", 5, 6, Saw("a")}, {"", 7, 8, FoundEnded(upload)}}, true},
		{"an upload that ended may have made its object", []*pastCall{{"", 1, 6, EndedUnknown(upload)}, {"", 2, 3, Saw(upload)}, {"", 4, 5, Wrote("a")}}, true},
		{"an upload that ended makes no object later", []*pastCall{{"", 1, 2, EndedUnknown(upload)}, {"", 3, 4, Wrote("a")}, {"", 5, 6, Saw(upload)}}, false},
		{"an upload has ended because its object was replaced", []*pastCall{{"", 1, 6, CompletedWith(upload)}, {"", 2, 5, Wrote("a")}, {"", 3, 4, FoundEnded(upload)}}, true},
	}
	for _, tt := range tests {
		h := &History{calls: tt.calls}
		require.Equal(t, tt.want, h.Explained(KeyState{}), "%s\n%v", tt.name, h)
	}
}
