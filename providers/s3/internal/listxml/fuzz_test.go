package listxml

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// FuzzListPage compares ReadObjects with two references. encoding/xml must agree on
// whether the response is a page and on its content. The SDK's decoder must agree if
// it can read the page.
func FuzzListPage(f *testing.F) {
	f.Add([]byte(wholePage))
	f.Add([]byte(pageOf(2, "a+b%2F")))
	for _, row := range readable {
		f.Add([]byte(row.response))
	}
	for _, row := range texts {
		f.Add([]byte(withKey(row.text)))
	}
	for _, row := range unreadable {
		f.Add([]byte(row.response))
	}
	f.Fuzz(comparePage)
}

// FuzzListPageOfPieces composes pages of meaningful pieces: each byte of the input chooses one. It
// finds errors that changes of single bytes do not find. A piece "=name" opens an element, and
// "</>" closes the innermost one.
func FuzzListPageOfPieces(f *testing.F) {
	for i := range pagePieces {
		f.Add([]byte{byte(i)}, true)
	}
	const maxPieces = 200
	f.Fuzz(func(t *testing.T, choices []byte, inList bool) {
		var response bytes.Buffer
		var open []string // names of the elements that are not closed yet
		if inList {
			response.WriteString("<List>")
		}
		for _, choice := range choices[:min(len(choices), maxPieces)] {
			piece := pagePieces[int(choice)%len(pagePieces)]
			switch {
			case piece == "</>" && len(open) > 0:
				response.WriteString("</" + open[len(open)-1] + ">")
				open = open[:len(open)-1]
			case piece[0] == '=':
				name := piece[len("="):]
				response.WriteString("<" + name + ">")
				open = append(open, name)
			default:
				response.WriteString(piece)
			}
		}
		for _, name := range slices.Backward(open) {
			response.WriteString("</" + name + ">")
		}
		if inList {
			response.WriteString("</List>")
		}
		comparePage(t, response.Bytes())
	})
}

// pagePieces has parts of pages. A piece that begins with "=" opens an element, and "</>" closes it.
var pagePieces = []string{
	"</>", "</>", "</>", "=Contents", "=Contents", "=CommonPrefixes", "=Key", "=Key", "=Prefix",
	"=Size", "=ETag", "=LastModified", "=StorageClass", "STANDARD", "=IsTruncated",
	"=NextContinuationToken", "=EncodingType", "=x", "=s3:Key", "=contents", "=ListBucketResult",
	"</Contents>", "</Key>", "<Key/>", "<Contents/>", "<CommonPrefixes />", "<Size>7</Size>",
	"<Key>k</Key>", "<Prefix>p/</Prefix>", "<EncodingType>url</EncodingType>",
	"<LastModified>2026-01-02T03:04:05.678Z</LastModified>", "<IsTruncated>true</IsTruncated>",
	"<NextContinuationToken>n</NextContinuationToken>", "a", "é", "😀", "%2F", "%zz", "+", " ", "\t",
	"\n", "\r\n", "\r", "0", "7", "true", "url", "]", "]]", "]]>", ">", "/", `"`, "'", "=", "&amp;",
	"&lt;", "&quot;", "&#65;", "&#x41;", "&#13;", "&#1;", "&#xD800;", "&no;", "&", ";", "\x00",
	"\x1f", "\x7f", "\xff", "\ufffe", "\ufeff", "<![CDATA[", "]]>", "<![CDATA[c]]>", "<![CDATA[]]>",
	"<!-- c -->", "<!--", "-->", "--", "<?i i?>", "<?", "?>", `<?xml version="1.0"?>`, `<a b="c">`,
	"</a>", `<a b='"'/>`, `<a b="&lt;" c="d"/>`, "<a b>", "<", "<a", "<!DOCTYPE x>",
	"2026-01-02T03:04:05Z",
}

// comparePage fails if ReadObjects and encoding/xml, or ReadObjects and the SDK, read the response
// in different ways.
func comparePage(t *testing.T, response []byte) {
	want, wantErr := referencePage(response)
	got := &storage.Page{}
	err := ReadObjects(bytes.Clone(response), "", got, nil)
	if wantErr != nil {
		require.Error(t, err, "encoding/xml: %v", wantErr)
		return
	}
	require.NoError(t, err)
	// Both pages are sorted before they are compared, because their orders differ.
	require.Equal(t, ordered(want), ordered(got))

	if ofSDK := sdkPage(t, response); ofSDK != nil {
		require.Equal(t, ordered(ofSDK), ordered(got))
	}
}

// ordered sorts the entries of a page by all their fields, because the SDK does not keep the order
// between objects and prefixes.
func ordered(page *storage.Page) *storage.Page {
	slices.SortFunc(page.Entries, func(a, b storage.ListEntry) int {
		kind := func(e storage.ListEntry) string { return strconv.FormatBool(e.IsPrefix) }
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(kind(a), kind(b)), cmp.Compare(a.Size, b.Size),
			cmp.Compare(a.ETag, b.ETag), a.Modified.Compare(b.Modified))
	})
	return page
}
