package storagetest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistoriesAreExplained(t *testing.T) {
	const upload = "upload"
	for _, row := range []struct {
		name  string
		calls []*pastCall
		want  bool
	}{
		{"one after the other", []*pastCall{{"", 1, 2, wrote("a")}, {"", 3, 4, saw("a")}}, true},
		{"a read of what was replaced", []*pastCall{{"", 1, 2, wrote("a")}, {"", 3, 4, wrote("b")}, {"", 5, 6, saw("a")}}, false},
		{"a read beside a write", []*pastCall{{"", 1, 2, wrote("a")}, {"", 3, 6, wrote("b")}, {"", 4, 5, saw("a")}}, true},
		{"two completions, one object", []*pastCall{{"", 1, 4, completedWith(upload)}, {"", 2, 3, completedWith(upload)}, {"", 5, 6, saw(upload)}}, true},
		{"a removed object is back", []*pastCall{{"", 1, 2, completedWith(upload)}, {"", 3, 4, wrote("")}, {"", 5, 6, completedWith(upload)}}, false},
		{"a removed object is back, and nobody says so", []*pastCall{
			{"", 1, 2, completedWith(upload)}, {"", 3, 4, wrote("")}, {"", 5, 6, foundEnded(upload)}, {"", 7, 8, saw(upload)},
		}, false},
		{"a newer object is replaced", []*pastCall{
			{"", 1, 8, completedWith(upload)}, {"", 2, 3, saw(upload)}, {"", 4, 5, wrote("newer")}, {"", 6, 7, saw("newer")}, {"", 9, 10, saw(upload)},
		}, false},
		{"an upload that nobody completed has ended", []*pastCall{{"", 1, 2, wrote("a")}, {"", 3, 4, foundEnded(upload)}}, false},
		{"an upload that ended may have made nothing", []*pastCall{{"", 1, 4, endedUnknown(upload)}, {"", 2, 3, wrote("a")}, {"", 5, 6, saw("a")}, {"", 7, 8, foundEnded(upload)}}, true},
		{"an upload that ended may have made its object", []*pastCall{{"", 1, 6, endedUnknown(upload)}, {"", 2, 3, saw(upload)}, {"", 4, 5, wrote("a")}}, true},
		{"an upload that ended makes no object later", []*pastCall{{"", 1, 2, endedUnknown(upload)}, {"", 3, 4, wrote("a")}, {"", 5, 6, saw(upload)}}, false},
		{"an upload has ended because its object was replaced", []*pastCall{{"", 1, 6, completedWith(upload)}, {"", 2, 5, wrote("a")}, {"", 3, 4, foundEnded(upload)}}, true},
	} {
		h := &history{calls: row.calls}
		require.Equal(t, row.want, h.explained(keyState{}), "%s\n%v", row.name, h)
	}
}
