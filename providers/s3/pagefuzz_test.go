package s3

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// FuzzListPage has two judges of what a page says: encoding/xml, which has to
// agree on what is a page and on all that is in it, and the SDK's own decoder,
// which has to agree where it reads the page too.
func FuzzListPage(f *testing.F) {
	f.Add([]byte(wholePage))
	f.Add([]byte(pageOf(2, "a+b%2F")))
	for _, row := range readable {
		f.Add([]byte(row.answer))
	}
	for _, row := range texts {
		f.Add([]byte(withKey(row.text)))
	}
	for _, row := range unreadable {
		f.Add([]byte(row.answer))
	}
	f.Fuzz(judgePage)
}

// FuzzListPageOfPieces puts pages together of pieces that mean something, one
// for each byte, which finds what changing letters does not.
func FuzzListPageOfPieces(f *testing.F) {
	for i := range pagePieces {
		f.Add([]byte{byte(i)}, true)
	}
	f.Fuzz(func(t *testing.T, choices []byte, inside bool) {
		var answer bytes.Buffer
		var open []string
		if inside {
			answer.WriteString("<List>")
		}
		for _, c := range choices[:min(len(choices), 200)] {
			switch piece := pagePieces[int(c)%len(pagePieces)]; {
			case piece == "</>" && len(open) > 0:
				answer.WriteString("</" + open[len(open)-1] + ">")
				open = open[:len(open)-1]
			case piece[0] == '=': // an element that "</>" ends
				answer.WriteString("<" + piece[1:] + ">")
				open = append(open, piece[1:])
			default:
				answer.WriteString(piece)
			}
		}
		for i := range open {
			answer.WriteString("</" + open[len(open)-1-i] + ">")
		}
		if inside {
			answer.WriteString("</List>")
		}
		judgePage(t, answer.Bytes())
	})
}

var pagePieces = []string{
	"</>", "</>", "</>", "=Contents", "=Contents", "=CommonPrefixes", "=Key", "=Key", "=Prefix", "=Size", "=ETag", "=LastModified",
	"=IsTruncated", "=NextContinuationToken", "=EncodingType", "=x", "=s3:Key", "=contents", "=ListBucketResult", "</Contents>", "</Key>",
	"<Key/>", "<Contents/>", "<CommonPrefixes />", "<Size>7</Size>", "<Key>k</Key>", "<Prefix>p/</Prefix>", "<EncodingType>url</EncodingType>",
	"<LastModified>2026-01-02T03:04:05.678Z</LastModified>", "<IsTruncated>true</IsTruncated>", "<NextContinuationToken>n</NextContinuationToken>",
	"a", "é", "😀", "%2F", "%zz", "+", " ", "\t", "\n", "\r\n", "\r", "0", "7", "true", "url", "]", "]]", "]]>", ">", "/", `"`, "'", "=",
	"&amp;", "&lt;", "&quot;", "&#65;", "&#x41;", "&#13;", "&#1;", "&#xD800;", "&no;", "&", ";", "\x00", "\x1f", "\x7f", "\xff", "\ufffe", "\ufeff",
	"<![CDATA[", "]]>", "<![CDATA[c]]>", "<![CDATA[]]>", "<!-- c -->", "<!--", "-->", "--", "<?i i?>", "<?", "?>", `<?xml version="1.0"?>`,
	`<a b="c">`, "</a>", `<a b='"'/>`, `<a b="&lt;" c="d"/>`, "<a b>", "<", "<a", "<!DOCTYPE x>", "2026-01-02T03:04:05Z",
}

func judgePage(t *testing.T, answer []byte) {
	want, err := judgedPage(answer)
	if errors.Is(err, errOutOfCourt) {
		return
	}
	page := &storage.Page{}
	readErr := readPage(bytes.Clone(answer), page, nil)
	if err != nil {
		require.Error(t, readErr, "encoding/xml: %v", err)
		return
	}
	require.NoError(t, readErr)
	require.Equal(t, want, page)
	if theirs := pageOfTheSDK(t, answer); theirs != nil {
		require.Equal(t, ordered(theirs), ordered(page))
	}
}

// ordered is a page in an order of all that an entry says: the SDK does not
// tell in which order objects and prefixes stood.
func ordered(page *storage.Page) *storage.Page {
	slices.SortFunc(page.Entries, func(a, b storage.ListEntry) int {
		kind := func(e storage.ListEntry) string { return strconv.FormatBool(e.IsPrefix) }
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(kind(a), kind(b)), cmp.Compare(a.Size, b.Size), cmp.Compare(a.ETag, b.ETag), a.Modified.Compare(b.Modified))
	})
	return page
}
