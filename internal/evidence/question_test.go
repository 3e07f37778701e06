package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// IsKey recognizes only the keys of NewKey.
func TestQuestionKeys(t *testing.T) {
	tests := []struct {
		name string
		key  string
		want bool
	}{
		{name: "without a prefix", key: NewKey(""), want: true},
		{name: "with a prefix", key: NewKey("a/b/"), want: true},
		{name: "a key below", key: NewKey("") + "/a", want: false},
		{name: "a slash at the end", key: NewKey("") + "/", want: false},
		{name: "an extension", key: NewKey("") + ".txt", want: false},
		{name: "a prefix that is no folder", key: "x" + NewKey(""), want: false},
		{name: "no number", key: "omnibucket-question-", want: false},
		{name: "words in place of the number", key: "omnibucket-question-OF-A-CUSTOMER", want: false},
		{name: "no key", key: "", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsKey(tt.key))
		})
	}
}
