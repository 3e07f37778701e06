package escape_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/escape"
)

// ASCIIJSON escapes all characters that are not ASCII, and keeps the meaning of the document.
func TestASCIIJSON(t *testing.T) {
	escaped := escape.ASCIIJSON([]byte(`{"a":"é日😀 b"}`))
	require.Equal(t, `{"a":"\u00e9\u65e5\ud83d\ude00 b"}`, string(escaped))

	var text string
	require.NoError(t, json.Unmarshal(escape.ASCIIJSON([]byte(`"é日😀"`)), &text))
	require.Equal(t, "é日😀", text)
}
