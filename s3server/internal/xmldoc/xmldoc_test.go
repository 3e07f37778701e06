package xmldoc_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type sums struct{ CRC32, SHA1 string }

type document struct {
	XMLName xml.Name `xml:"Document"`
	Name    *xmldoc.Text
	Size    int    `xml:",omitempty"`
	ID      string `xml:"Id"`
	sums
	Part []struct{ Number int }
	Free *struct{}
	Kept string `xml:"-"`
}

// Parse refuses documents with unknown or repeated elements.
func TestParseDocuments(t *testing.T) {
	tests := map[string]struct {
		content string
		refused bool
	}{
		"nothing": {"", false},
		"each element once": {
			"<Name>n</Name><Size>1</Size><Id>i</Id><SHA1>s</SHA1><Free/>", false,
		},
		"a list": {
			"<Part><Number>1</Number></Part><Part><Number>1</Number></Part>", false,
		},
		"comments and white space":     {"\n <!-- c --><Name>n</Name>\n", false},
		"anything in an empty struct":  {"<Free><Any><Thing/><Thing/></Any></Free>", false},
		"an element twice":             {"<Name>n</Name><Name>m</Name>", true},
		"an empty element twice":       {"<Id/><Id>m</Id>", true},
		"the same in other namespaces": {`<Id>m</Id><Id xmlns="urn:x">n</Id>`, true},
		"an element of all checksums":  {"<SHA1>s</SHA1><SHA1>t</SHA1>", true},
		"an element of a list twice":   {"<Part><Number>1</Number><Number>2</Number></Part>", true},
		"an unknown element":           {"<Color/>", true},
		"an unknown element of a list": {"<Part><Number>1</Number><Color/></Part>", true},
		"an element in text":           {"<Name>n<Name/></Name>", true},
		"what is not of the document":  {"<Kept>k</Kept>", true},
		"the name of a field in Go":    {"<ID>i</ID>", true},
		"a type that is embedded":      {"<sums/>", true},
		"a number that is none":        {"<Size>x</Size>", true},
		"an element that does not end": {"<Name>", true},
		"what follows the document":    {"</Document><Document>", true},
		"elements in elements in elements": {strings.Repeat("<Free>",
			40) + strings.Repeat("</Free>", 40), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := xmldoc.Parse([]byte("<Document>"+tt.content+"</Document>"), &document{})
			require.Equal(t, tt.refused, s3error.Is(err, "MalformedXML"), err)
			require.Equal(t, tt.refused, err != nil)
		})
	}
}
