package permissions

import (
	"bytes"
	"encoding/json"

	"github.com/omnibucket/storage/internal/escape"
)

// encodeJSON returns value as indented JSON in ASCII, because IAM of AWS refuses characters above
// U+00FF in a policy (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
func encodeJSON(value any) string {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	err := encoder.Encode(value)
	if err != nil {
		// This cannot happen, because the documents of this package have only strings.
		panic(err)
	}
	return string(escape.ASCIIJSON(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))))
}
