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

// Parse refuses documents that are malformed, or that have unknown or repeated elements.
func TestParseDocuments(t *testing.T) {
	// A document may have the elements Name, Size, Id, CRC32, SHA1 and Free. It may also have any
	// number of elements Part, each of which has a Number.
	tests := []struct {
		name        string
		content     string
		wantRefused bool
	}{
		{name: "nothing"},
		{
			name:    "each element once",
			content: "<Name>n</Name><Size>1</Size><Id>i</Id><SHA1>s</SHA1><Free/>",
		},
		{name: "list", content: "<Part><Number>1</Number></Part><Part><Number>1</Number></Part>"},
		{name: "comments and white space", content: "\n <!-- c --><Name>n</Name>\n"},
		{name: "anything in an empty struct", content: "<Free><Any><Thing/><Thing/></Any></Free>"},
		{name: "same element twice", content: "<Name>n</Name><Name>m</Name>", wantRefused: true},
		{name: "same element twice, first empty", content: "<Id/><Id>m</Id>", wantRefused: true},
		{
			name:        "same element in two namespaces",
			content:     `<Id>m</Id><Id xmlns="urn:x">n</Id>`,
			wantRefused: true,
		},
		{name: "same element of an embedded struct twice", content: "<SHA1>s</SHA1><SHA1>t</SHA1>", wantRefused: true},
		{
			name:        "same element of a list entry twice",
			content:     "<Part><Number>1</Number><Number>2</Number></Part>",
			wantRefused: true,
		},
		{name: "unknown element", content: "<Color/>", wantRefused: true},
		{
			name:        "unknown element of a list entry",
			content:     "<Part><Number>1</Number><Color/></Part>",
			wantRefused: true,
		},
		{name: "element within text", content: "<Name>n<Name/></Name>", wantRefused: true},
		{name: "name of a field that is no element", content: "<Kept>k</Kept>", wantRefused: true},
		{name: "name of a field in Go", content: "<ID>i</ID>", wantRefused: true},
		{name: "name of the embedded struct", content: "<sums/>", wantRefused: true},
		{name: "invalid number", content: "<Size>x</Size>", wantRefused: true},
		{name: "element without an end", content: "<Name>", wantRefused: true},
		{name: "second document", content: "</Document><Document>", wantRefused: true},
		{
			name:        "elements nested too deeply",
			content:     strings.Repeat("<Free>", 40) + strings.Repeat("</Free>", 40),
			wantRefused: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A refused document fails with MalformedXML, and with no other error.
			err := xmldoc.Parse([]byte("<Document>"+tt.content+"</Document>"), &document{})
			require.Equal(t, tt.wantRefused, s3error.Is(err, "MalformedXML"), err)
			require.Equal(t, tt.wantRefused, err != nil)
		})
	}
}
