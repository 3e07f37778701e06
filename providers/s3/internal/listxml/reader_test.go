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

// readable has other ways to write plainPage.
var readable = []struct{ name, response string }{
	{"a declaration", `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + plainPage},
	{"a declaration in other quotes and case", `<?xml version='1.0' encoding = 'utf-8' standalone="yes" ?>` + plainPage},
	{"a byte order mark", "\ufeff<?xml version=\"1.0\"?>" + plainPage},
	{"spaces before a declaration", " \r\n<?xml version=\"1.0\"?>" + plainPage},
	{"something after the root", plainPage + "\n<!-- x -->"},
	{"instructions and comments", `<!-- <x> --><?x <y> ?><ListBucketResult><!----><Contents><?z?><Key>a&amp;b</Key><!-- - --><Size>7</Size></Contents></ListBucketResult>`},
	{"lines and indentation", "<ListBucketResult>\n  <Contents>\r\n\t<Key>a&amp;b</Key>\n\t<Size>7</Size>\n  </Contents>\n</ListBucketResult>"},
	{"spaces around a number", "<ListBucketResult><Contents><Key>a&amp;b</Key><Size>\n 7\t</Size></Contents></ListBucketResult>"},
	{"spaces in tags", "<ListBucketResult ><Contents\n><Key\t>a&amp;b</Key\r\n><Size >7</Size ></Contents ></ListBucketResult >"},
	{"a namespace", `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`},
	{"a namespace prefix", `<s3:ListBucketResult xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:Contents><s3:Key>a&amp;b</s3:Key><s3:Size>7</s3:Size></s3:Contents></s3:ListBucketResult>`},
	{"attributes", `<ListBucketResult a="&lt;>" b='"' c = "1"><Contents x="/>"><Key y=''>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`},
	{"another order", `<ListBucketResult><Contents><Size>7</Size><Key>a&amp;b</Key></Contents></ListBucketResult>`},
	{"other cases", `<listbucketresult><CONTENTS><key>a&amp;b</key><size>7</size></CONTENTS></listbucketresult>`},
	{"another root", `<ListObjectsV2Output><Contents><Key>a&amp;b</Key><Size>7</Size></Contents></ListObjectsV2Output>`},
	{"unknown elements", `<ListBucketResult><Key>no</Key><X/><Y><Contents><Key>no</Key></Contents></Y><Contents><Owner><ID>i</ID><Key>no</Key></Owner><Key>a&amp;b</Key><Z><Z/></Z><Size>7</Size></Contents></ListBucketResult>`},
	{"empty elements", `<ListBucketResult><Prefix/><Marker /><Delimiter></Delimiter><Contents><Key>a&amp;b</Key><ETag/><Size>7</Size></Contents></ListBucketResult>`},
	{"the last of two elements counts", `<ListBucketResult><Contents><Key>x</Key><Key>a&amp;b</Key><Size>7</Size></Contents></ListBucketResult>`},
	{"numeric references", `<ListBucketResult><Contents><Key>&#97;&#x26;&#00098;</Key><Size>&#55;</Size></Contents></ListBucketResult>`},
	{"CDATA", `<ListBucketResult><![CDATA[<Contents>]]><Contents><Key><![CDATA[a&b]]></Key><Size><![CDATA[7]]></Size></Contents></ListBucketResult>`},
	{"text in pieces", `<ListBucketResult><Contents><Key>a<!-- x --><![CDATA[&]]><?x?>b<![CDATA[]]></Key><Size>7</Size></Contents></ListBucketResult>`},
}

func TestReadObjectsAcceptsXMLHoweverItIsWritten(t *testing.T) {
	want := []storage.ListEntry{{Key: "a&b", Size: 7}}
	require.Equal(t, want, readObjects(t, plainPage).Entries)
	for _, row := range readable {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, want, readObjects(t, row.response).Entries)
		})
	}
}

// texts has keys as XML and decoded.
var texts = []struct{ name, text, want string }{
	{"every predefined reference", `&lt;&gt;&amp;&apos;&quot;`, `<>&'"`},
	{"references are decoded once", `&amp;lt;&amp;amp;`, `&lt;&amp;`},
	{"references in every plane", `&#xe9;&#x1F600;&#128512;`, "é😀😀"},
	{"half of a surrogate pair, as in encoding/xml", `&#xD800;`, "\uFFFD"},
	{"other alphabets", "é日本😀", "é日本😀"},
	{"spaces at both ends", " a\tb ", " a\tb "},
	{"line ends are normalized", "a\r\nb\rc\nd", "a\nb\nc\nd"},
	{"a line end by reference is kept", "a&#13;&#10;b&#xD;\n", "a\r\nb\r\n"},
	{"brackets", "a]]b]&gt;]]&gt;", "a]]b]>]]>"},
	{"a reference in CDATA is text", "<![CDATA[&lt;]]>", "&lt;"},
	{"brackets in CDATA", "<![CDATA[]]]]><![CDATA[>]]>", "]]>"},
	{"references in pieces", "&amp;<!-- x -->&lt;<?x?>&gt;", "&<>"},
	{"the delete character", "a\x7f", "a\x7f"},
	{"URL escaping that the response does not announce", "a+b%2B", "a+b%2B"},
}

func withKey(text string) string {
	return `<ListBucketResult><Contents><Key>` + text + `</Key></Contents></ListBucketResult>`
}

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
	{"nothing", ``},
	{"spaces", " \n"},
	{"only a declaration", `<?xml version="1.0"?>`},
	{"text", `Service Unavailable`},
	{"text before the root", `x<ListBucketResult></ListBucketResult>`},
	{"JSON", `{"Contents":[]}`},
	{"a proxy's page", `<html><body>It works!</body></html>`},
	{"a document type", `<!DOCTYPE html><ListBucketResult></ListBucketResult>`},
	{"a custom entity", `<!DOCTYPE x [<!ENTITY k "v">]><ListBucketResult><Contents><Key>&k;</Key></Contents></ListBucketResult>`},
	{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><ListBucketResult></ListBucketResult>`},
	{"another version", `<?xml version="1.1"?><ListBucketResult></ListBucketResult>`},
	{"UTF-16", "\xff\xfe<\x00L\x00"},
	{"an end tag without a start tag", `</ListBucketResult>`},
	{"crossed elements", `<ListBucketResult><Contents><Key></Contents></Key></ListBucketResult>`},
	{"crossed unknown elements", `<ListBucketResult><a><b></a></b></ListBucketResult>`},
	{"an end tag in another case", `<ListBucketResult></Listbucketresult>`},
	{"an end tag with another prefix", `<a:ListBucketResult></b:ListBucketResult>`},
	{"an end tag with an attribute", `<ListBucketResult></ListBucketResult a="b">`},
	{"a tag without a name", `<ListBucketResult><></ListBucketResult>`},
	{"a name that begins with a digit", `<ListBucketResult><1/></ListBucketResult>`},
	{"a name that begins with a dash", `<ListBucketResult><-/></ListBucketResult>`},
	{"a name that begins with a dot", `<ListBucketResult><./></ListBucketResult>`},
	{"a name with two colons", `<ListBucketResult><a:b:c/></ListBucketResult>`},
	{"an attribute without a value", `<ListBucketResult a></ListBucketResult>`},
	{"an attribute without quotes", `<ListBucketResult a=1></ListBucketResult>`},
	{"an unclosed attribute", `<ListBucketResult a="></ListBucketResult>`},
	{"a tag in an attribute", `<ListBucketResult a="<"></ListBucketResult>`},
	{"an unknown reference in an attribute", `<ListBucketResult a="&b;"></ListBucketResult>`},
	{"a slash too early", `<ListBucketResult><Contents / ></ListBucketResult>`},
	{"an element in a key", `<ListBucketResult><Contents><Key>a<b/></Key></Contents></ListBucketResult>`},
	{"an unknown reference", `<ListBucketResult><Contents><Key>&nbsp;</Key></Contents></ListBucketResult>`},
	{"a reference without an end", `<ListBucketResult><Contents><Key>&lt</Key></Contents></ListBucketResult>`},
	{"an ampersand", `<ListBucketResult><Contents><Key>a & b</Key></Contents></ListBucketResult>`},
	{"a reference without a number", `<ListBucketResult><Contents><Key>&#;&#x;</Key></Contents></ListBucketResult>`},
	{"a number with a letter", `<ListBucketResult><Contents><Key>&#6A;</Key></Contents></ListBucketResult>`},
	{"a number past Unicode", `<ListBucketResult><Contents><Key>&#x110000;</Key></Contents></ListBucketResult>`},
	{"a number that overflows", `<ListBucketResult><Contents><Key>&#99999999999999999999;</Key></Contents></ListBucketResult>`},
	{"a control character by number", `<ListBucketResult><Contents><Key>&#1;</Key></Contents></ListBucketResult>`},
	{"a control character", "<ListBucketResult><Contents><Key>a\x01</Key></Contents></ListBucketResult>"},
	{"a control character in an unknown element", "<ListBucketResult><X>a\x01</X></ListBucketResult>"},
	{"a control character in CDATA", "<ListBucketResult><Contents><Key><![CDATA[\x00]]></Key></Contents></ListBucketResult>"},
	{"no character of XML", "<ListBucketResult><Contents><Key>\uffff</Key></Contents></ListBucketResult>"},
	{"invalid UTF-8", "<ListBucketResult><Contents><Key>a\xe9</Key></Contents></ListBucketResult>"},
	{"invalid UTF-8 in a name", "<ListBucketResult><\xe9/></ListBucketResult>"},
	{"an end of CDATA without a start", `<ListBucketResult>]]></ListBucketResult>`},
	{"dashes in a comment", `<ListBucketResult><!-- -- --></ListBucketResult>`},
	{"an instruction without a name", `<ListBucketResult><? ?></ListBucketResult>`},
	{"too many nested elements", strings.Repeat("<List>", 65) + strings.Repeat("</List>", 65)},
	{"an invalid size", `<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>`},
	{"an empty size", `<ListBucketResult><Contents><Size/></Contents></ListBucketResult>`},
	{"a negative size", `<ListBucketResult><Contents><Size>-1</Size></Contents></ListBucketResult>`},
	{"a size that overflows", `<ListBucketResult><Contents><Size>9223372036854775808</Size></Contents></ListBucketResult>`},
	{"an invalid time", `<ListBucketResult><Contents><LastModified>yesterday</LastModified></Contents></ListBucketResult>`},
	{"an invalid flag", `<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>`},
}

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

func TestReadObjectsRefusesATruncatedPage(t *testing.T) {
	require.Len(t, readObjects(t, wholePage).Entries, 3)
	for n := range len(wholePage) {
		require.Error(t, ReadObjects([]byte(wholePage[:n]), "", &storage.Page{}, nil), "%q", wholePage[:n])
	}
}
