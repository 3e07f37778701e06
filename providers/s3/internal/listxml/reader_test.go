package listxml

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// readObjects returns the page of a response that must be readable.
func readObjects(t *testing.T, response string) *storage.Page {
	t.Helper()
	page := &storage.Page{}
	require.NoError(t, ReadObjects([]byte(response), "", page, nil))
	return page
}

const plainPage = `<ListBucketResult><Contents><Key>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`

// readable has pages that say the same as plainPage, but are written in other ways.
var readable = []struct{ name, response string }{
	{name: "a declaration", response: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + plainPage},
	{
		name:     "a declaration in other quotes and case",
		response: `<?xml version='1.0' encoding = 'utf-8' standalone="yes" ?>` + plainPage,
	},
	{name: "a byte order mark", response: "\ufeff<?xml version=\"1.0\"?>" + plainPage},
	{name: "spaces before a declaration", response: " \r\n<?xml version=\"1.0\"?>" + plainPage},
	{name: "something after the root", response: plainPage + "\n<!-- x -->"},
	{
		name:     "instructions and comments",
		response: `<!-- <x> --><?x <y> ?><ListBucketResult><!----><Contents><?z?><Key>a&amp;b</Key><!-- - --><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "lines and indentation",
		response: "<ListBucketResult>\n  <Contents>\r\n\t<Key>a&amp;b</Key>\n\t<Size>7</Size>\n  </Contents>\n</ListBucketResult>",
	},
	{
		name:     "spaces around a number",
		response: "<ListBucketResult><Contents><Key>a&amp;b</Key><Size>\n 7\t</Size></Contents></ListBucketResult>",
	},
	{
		name:     "spaces in tags",
		response: "<ListBucketResult ><Contents\n><Key\t>a&amp;b</Key\r\n><Size >7</Size ></Contents ></ListBucketResult >",
	},
	{
		name:     "a namespace",
		response: `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "a namespace prefix",
		response: `<s3:ListBucketResult xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:Contents><s3:Key>a&amp;b</s3:Key><s3:Size>7</s3:Size></s3:Contents></s3:ListBucketResult>`,
	},
	{
		name:     "attributes",
		response: `<ListBucketResult a="&lt;>" b='"' c = "1"><Contents x="/>"><Key y=''>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "another order",
		response: `<ListBucketResult><Contents><Size>7</Size><Key>a&amp;b</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "other cases",
		response: `<listbucketresult><CONTENTS><key>a&amp;b</key><size>7</size></CONTENTS></listbucketresult>`,
	},
	{
		name:     "another root",
		response: `<ListObjectsV2Output><Contents><Key>a&amp;b</Key><Size>7</Size></Contents></ListObjectsV2Output>`,
	},
	{
		name:     "unknown elements",
		response: `<ListBucketResult><Key>no</Key><X/><Y><Contents><Key>no</Key></Contents></Y><Contents><Owner><ID>i</ID><Key>no</Key></Owner><Key>a&amp;b</Key><Z><Z/></Z><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "empty elements",
		response: `<ListBucketResult><Prefix/><Marker /><Delimiter></Delimiter><Contents><Key>a&amp;b</Key><ETag/><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "the last of two elements counts",
		response: `<ListBucketResult><Contents><Key>x</Key><Key>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "numeric references",
		response: `<ListBucketResult><Contents><Key>&#97;&#x26;&#00098;</Key><Size>&#55;</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "CDATA",
		response: `<ListBucketResult><![CDATA[<Contents>]]><Contents><Key><![CDATA[a&b]]></Key><Size><![CDATA[7]]></Size></Contents></ListBucketResult>`,
	},
	{
		name:     "text in pieces",
		response: `<ListBucketResult><Contents><Key>a<!-- x --><![CDATA[&]]><?x?>b<![CDATA[]]></Key><Size>7</Size></Contents></ListBucketResult>`,
	},
}

// ReadObjects reads the same entry from a page in XML, in whichever way the page is written.
func TestReadObjectsAcceptsXMLHoweverItIsWritten(t *testing.T) {
	want := []storage.ListEntry{{Key: "a&b", Size: 7}}
	require.Equal(t, want, readObjects(t, plainPage).Entries)
	for _, row := range readable {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, want, readObjects(t, row.response).Entries)
		})
	}
}

// texts has keys in two forms: as text of XML, and decoded.
var texts = []struct{ name, text, want string }{
	{name: "every predefined reference", text: `&lt;&gt;&amp;&apos;&quot;`, want: `<>&'"`},
	{name: "references are decoded once", text: `&amp;lt;&amp;amp;`, want: `&lt;&amp;`},
	{name: "references in every plane", text: `&#xe9;&#x1F600;&#128512;`, want: "é😀😀"},
	{name: "half of a surrogate pair, as in encoding/xml", text: `&#xD800;`, want: "\uFFFD"},
	{name: "other alphabets", text: "é日本😀", want: "é日本😀"},
	{name: "spaces at both ends", text: " a\tb ", want: " a\tb "},
	{name: "line ends are normalized", text: "a\r\nb\rc\nd", want: "a\nb\nc\nd"},
	{name: "a line end by reference is kept", text: "a&#13;&#10;b&#xD;\n", want: "a\r\nb\r\n"},
	{name: "brackets", text: "a]]b]&gt;]]&gt;", want: "a]]b]>]]>"},
	{name: "a reference in CDATA is text", text: "<![CDATA[&lt;]]>", want: "&lt;"},
	{name: "brackets in CDATA", text: "<![CDATA[]]]]><![CDATA[>]]>", want: "]]>"},
	{name: "references in pieces", text: "&amp;<!-- x -->&lt;<?x?>&gt;", want: "&<>"},
	{name: "the delete character", text: "a\x7f", want: "a\x7f"},
	{name: "URL escaping that the response does not announce", text: "a+b%2B", want: "a+b%2B"},
}

// withKey returns a page with one object, whose key is written as the text.
func withKey(text string) string {
	return `<ListBucketResult><Contents><Key>` + text + `</Key></Contents></ListBucketResult>`
}

// ReadObjects decodes references, CDATA and line ends as XML does.
func TestReadObjectsDecodesText(t *testing.T) {
	for _, row := range texts {
		t.Run(row.name, func(t *testing.T) {
			page := readObjects(t, withKey(row.text))
			require.Equal(t, row.want, page.Entries[0].Key)
		})
	}
}

// unreadable has responses that are not pages.
var unreadable = []struct{ name, response string }{
	{name: "nothing"},
	{name: "spaces", response: " \n"},
	{name: "only a declaration", response: `<?xml version="1.0"?>`},
	{name: "text", response: `Service Unavailable`},
	{name: "text before the root", response: `x<ListBucketResult></ListBucketResult>`},
	{name: "JSON", response: `{"Contents":[]}`},
	{name: "a proxy's page", response: `<html><body>It works!</body></html>`},
	{name: "a document type", response: `<!DOCTYPE html><ListBucketResult></ListBucketResult>`},
	{
		name:     "a custom entity",
		response: `<!DOCTYPE x [<!ENTITY k "v">]><ListBucketResult><Contents><Key>&k;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "another encoding",
		response: `<?xml version="1.0" encoding="ISO-8859-1"?><ListBucketResult></ListBucketResult>`,
	},
	{name: "another version", response: `<?xml version="1.1"?><ListBucketResult></ListBucketResult>`},
	{name: "UTF-16", response: "\xff\xfe<\x00L\x00"},
	{name: "an end tag without a start tag", response: `</ListBucketResult>`},
	{
		name:     "crossed elements",
		response: `<ListBucketResult><Contents><Key></Contents></Key></ListBucketResult>`,
	},
	{name: "crossed unknown elements", response: `<ListBucketResult><a><b></a></b></ListBucketResult>`},
	{name: "an end tag in another case", response: `<ListBucketResult></Listbucketresult>`},
	{name: "an end tag with another prefix", response: `<a:ListBucketResult></b:ListBucketResult>`},
	{name: "an end tag with an attribute", response: `<ListBucketResult></ListBucketResult a="b">`},
	{name: "a tag without a name", response: `<ListBucketResult><></ListBucketResult>`},
	{name: "a name that begins with a digit", response: `<ListBucketResult><1/></ListBucketResult>`},
	{name: "a name that begins with a dash", response: `<ListBucketResult><-/></ListBucketResult>`},
	{name: "a name that begins with a dot", response: `<ListBucketResult><./></ListBucketResult>`},
	{name: "a name with two colons", response: `<ListBucketResult><a:b:c/></ListBucketResult>`},
	{name: "an attribute without a value", response: `<ListBucketResult a></ListBucketResult>`},
	{name: "an attribute without quotes", response: `<ListBucketResult a=1></ListBucketResult>`},
	{name: "an unclosed attribute", response: `<ListBucketResult a="></ListBucketResult>`},
	{name: "a tag in an attribute", response: `<ListBucketResult a="<"></ListBucketResult>`},
	{name: "an unknown reference in an attribute", response: `<ListBucketResult a="&b;"></ListBucketResult>`},
	{name: "a slash too early", response: `<ListBucketResult><Contents / ></ListBucketResult>`},
	{
		name:     "an element in a key",
		response: `<ListBucketResult><Contents><Key>a<b/></Key></Contents></ListBucketResult>`,
	},
	{
		name:     "an unknown reference",
		response: `<ListBucketResult><Contents><Key>&nbsp;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a reference without an end",
		response: `<ListBucketResult><Contents><Key>&lt</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "an ampersand",
		response: `<ListBucketResult><Contents><Key>a & b</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a reference without a number",
		response: `<ListBucketResult><Contents><Key>&#;&#x;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a number with a letter",
		response: `<ListBucketResult><Contents><Key>&#6A;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a number past Unicode",
		response: `<ListBucketResult><Contents><Key>&#x110000;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a number that overflows",
		response: `<ListBucketResult><Contents><Key>&#99999999999999999999;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a control character by number",
		response: `<ListBucketResult><Contents><Key>&#1;</Key></Contents></ListBucketResult>`,
	},
	{
		name:     "a control character",
		response: "<ListBucketResult><Contents><Key>a\x01</Key></Contents></ListBucketResult>",
	},
	{
		name:     "a control character in an unknown element",
		response: "<ListBucketResult><X>a\x01</X></ListBucketResult>",
	},
	{
		name:     "a control character in CDATA",
		response: "<ListBucketResult><Contents><Key><![CDATA[\x00]]></Key></Contents></ListBucketResult>",
	},
	{
		name:     "no character of XML",
		response: "<ListBucketResult><Contents><Key>\uffff</Key></Contents></ListBucketResult>",
	},
	{
		name:     "invalid UTF-8",
		response: "<ListBucketResult><Contents><Key>a\xe9</Key></Contents></ListBucketResult>",
	},
	{name: "invalid UTF-8 in a name", response: "<ListBucketResult><\xe9/></ListBucketResult>"},
	{name: "an end of CDATA without a start", response: `<ListBucketResult>]]></ListBucketResult>`},
	{name: "dashes in a comment", response: `<ListBucketResult><!-- -- --></ListBucketResult>`},
	{name: "an instruction without a name", response: `<ListBucketResult><? ?></ListBucketResult>`},
	{
		name:     "too many nested elements",
		response: strings.Repeat("<List>", 65) + strings.Repeat("</List>", 65),
	},
	{
		name:     "an invalid size",
		response: `<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>`,
	},
	{name: "an empty size", response: `<ListBucketResult><Contents><Size/></Contents></ListBucketResult>`},
	{
		name:     "a negative size",
		response: `<ListBucketResult><Contents><Size>-1</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "a size that overflows",
		response: `<ListBucketResult><Contents><Size>9223372036854775808</Size></Contents></ListBucketResult>`,
	},
	{
		name:     "an invalid time",
		response: `<ListBucketResult><Contents><LastModified>yesterday</LastModified></Contents></ListBucketResult>`,
	},
	{
		name:     "an invalid flag",
		response: `<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>`,
	},
}

// If a response is not a page, ReadObjects returns an error, and not an empty page.
func TestReadObjectsRefusesWhatIsNotAPage(t *testing.T) {
	for _, row := range unreadable {
		t.Run(row.name, func(t *testing.T) {
			require.Error(t, ReadObjects([]byte(row.response), "", &storage.Page{}, nil))
		})
	}
}

// wholePage has every element that is read.
const wholePage = "\ufeff" + `<?xml version="1.0" encoding="UTF-8"?>
<!-- c --><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><?i i?><Name>photos</Name><Prefix/><KeyCount>4</KeyCount>
 <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>n&amp;1</NextContinuationToken>
 <Contents><Key>a+%C3%A9</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;1&quot;</ETag><Size>3</Size><StorageClass>STANDARD_IA</StorageClass><Owner><ID>o</ID></Owner></Contents>
 <Contents><Key><![CDATA[b&c]]></Key><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>2</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>
 <CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListBucketResult>`

// ReadObjects refuses a page whose end is missing, wherever the page was cut.
func TestReadObjectsRefusesATruncatedPage(t *testing.T) {
	require.Len(t, readObjects(t, wholePage).Entries, 3)
	for n := range len(wholePage) {
		truncated := wholePage[:n]
		err := ReadObjects([]byte(truncated), "", &storage.Page{}, nil)
		require.Error(t, err, "%q", truncated)
	}
}
