package asciijson_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/asciijson"
)

func TestEscape(t *testing.T) {
	require.Equal(t, `{"a":"\u00e9\u65e5\ud83d\ude00 b"}`, string(asciijson.Escape([]byte(`{"a":"é日😀 b"}`))))
	var text string
	require.NoError(t, json.Unmarshal(asciijson.Escape([]byte(`"é日😀"`)), &text))
	require.Equal(t, "é日😀", text)
}
