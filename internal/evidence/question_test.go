package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// IsKey recognizes the keys of NewKey, and no others.
func TestQuestionKeys(t *testing.T) {
	for key, want := range map[string]bool{
		NewKey(""):                          true,
		NewKey("a/b/"):                      true,
		NewKey("") + "/a":                   false,
		NewKey("") + "/":                    false,
		NewKey("") + ".txt":                 false,
		"x" + NewKey(""):                    false,
		"omnibucket-question-":              false,
		"omnibucket-question-OF-A-CUSTOMER": false,
		"":                                  false,
	} {
		require.Equal(t, want, IsKey(key), key)
	}
}
