package storedforms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const changedForm = `This code stores %q in a form that has no golden file. Older versions may misread it, and a later
change may lose it. Give the form the next number and a row in docs/maintainers/stored-forms.md, say in CHANGELOG.md
whether both versions may run at once, and land that. Then write the golden files of that commit (the page says how),
name it in the constant newest, and let the reader of this form continue both.`

// This code stores data in the shape of the newest golden file: the same keys and fields with the
// same types. A change of a form makes this test fail.
func TestStoredFormsHaveGoldenFiles(t *testing.T) {
	for name, write := range allWritten() {
		t.Run(name, func(t *testing.T) {
			golden := shapeOf(readGolden(t, newest, name))
			synctest.Test(t, func(t *testing.T) {
				require.Equal(t, golden, shapeOf(write(t)), changedForm, name)
			})
		})
	}
}

// shapeOf returns a line for each part of the stored data that is the same every time: keys, names of metadata, paths
// and types of JSON, and texts. It leaves out random texts, hashes and long numbers.
func shapeOf(s stored) (lines []string) {
	for store, objects := range s {
		for _, o := range objects {
			place := store + " " + random.ReplaceAllString(o.Key, "*")
			lines = append(lines, place+" type "+o.ContentType)
			for name, value := range o.Metadata {
				lines = append(lines, place+" metadata "+name+" "+random.ReplaceAllString(value, "*"))
			}
			body := []byte(o.Body)
			if text, err := hex.DecodeString(o.Body); err == nil && store == "files" {
				body = text
			}
			for _, line := range shapeOfText(body) {
				lines = append(lines, place+" "+line)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// random matches texts that differ each time.
var random = regexp.MustCompile(`[A-Z2-7]{26}|[0-9a-f]{12,}|[0-9a-z]{26,}|@[0-9a-f]+-|[0-9]{6,}`)

// shapeOfText returns the shape of a token, or of JSON documents one after the other. Any other text is its own shape.
// The shape of other bytes is their hexadecimal digits.
func shapeOfText(text []byte) []string {
	if head, document, ok := decodeToken(text); ok {
		return append(shapeOfText(document), "token "+head)
	}
	var lines []string
	decoder := json.NewDecoder(bytes.NewReader(text))
	for bytes.HasPrefix(text, []byte("{")) {
		var document any
		err := decoder.Decode(&document)
		if err == io.EOF {
			return lines
		}
		if err != nil {
			break
		}
		lines = append(lines, shapeOfJSON("", document)...)
	}
	if !utf8.Valid(text) {
		return []string{"bytes " + hex.EncodeToString(text)}
	}
	return []string{"text " + random.ReplaceAllString(string(text), "*")}
}

// decodeToken returns the first byte of a token and its JSON document. The last part of a token may be a MAC.
func decodeToken(text []byte) (head string, document []byte, ok bool) {
	content, _, _ := strings.Cut(string(text), ".")
	raw, err := base64.RawURLEncoding.DecodeString(content)
	if err != nil {
		return "", nil, false
	}

	// The bytes before the document may be a checksum, and one of the checksum's bytes may be a brace.
	for start := range raw {
		if raw[start] == '{' && json.Valid(raw[start:]) {
			return hex.EncodeToString(raw[:min(1, start)]), raw[start:], true
		}
	}
	return "", nil, false
}

// A token is decoded even if a byte of its checksum is a brace.
func TestDecodeTokenWithBraceInChecksum(t *testing.T) {
	token := base64.RawURLEncoding.EncodeToString([]byte("\x01{23456{8{}"))

	head, document, ok := decodeToken([]byte(token))

	require.True(t, ok)
	require.Equal(t, "01", head)
	require.Equal(t, "{}", string(document))
}

// shapeOfJSON returns the paths of a document with the types of their values.
func shapeOfJSON(path string, value any) []string {
	var lines []string
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			lines = append(lines, shapeOfJSON(path+"/"+random.ReplaceAllString(name, "*"), value[name])...)
		}
	case []any:
		for _, element := range value {
			lines = append(lines, shapeOfJSON(path+"/[]", element)...)
		}
	case string:
		kind := "string"
		if u, err := url.Parse(value); err == nil && strings.HasPrefix(value, "http") {
			kind = fmt.Sprint("URL with ", slices.Sorted(maps.Keys(u.Query())))
		}
		lines = append(lines, path+" "+kind)
	default:
		lines = append(lines, fmt.Sprintf("%s %T", path, value))
	}
	return lines
}
