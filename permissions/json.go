package permissions

import (
	"bytes"
	"encoding/json"

	"github.com/omnibucket/storage/internal/escape"
)

// document returns value as indented JSON in ASCII. It escapes other characters, because IAM of AWS
// refuses characters above U+00FF in a policy
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
func document(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		// This cannot happen, because this package makes all documents.
		panic(err)
	}
	return string(escape.ASCIIJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}
