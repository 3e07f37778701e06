package s3

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestListVersions(t *testing.T) {
	w := newStandIn(t, reply{Body: `<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>b%2F1</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>
		<DeleteMarker><Key>a+b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest><LastModified>2026-01-02T03:04:05.100Z</LastModified></DeleteMarker>
		<Version><Key>a+b</Key><VersionId>v2</VersionId><ETag>"2"</ETag><Size>2</Size><LastModified>2026-01-02T03:04:05.100Z</LastModified></Version>
		<DeleteMarker><Key>a+b</Key><VersionId>v1</VersionId><LastModified>2026-01-02T03:04:05.100Z</LastModified></DeleteMarker>
		<Version><Key>a+b</Key><VersionId>null</VersionId><ETag>"0"</ETag><Size>1</Size><LastModified>2026-01-02T03:04:05.100Z</LastModified></Version>
		</ListVersionsResult>`}, reply{Body: `<ListVersionsResult></ListVersionsResult>`})
	d := w.on(t, "aws")
	page, err := d.ListVersions(t.Context(), &storage.ListRequest{Limit: 4, Prefix: "a"})
	require.NoError(t, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []storage.VersionEntry{
		{ListEntry: storage.ListEntry{Key: "a b", Modified: at}, Version: "v3", Current: true, IsDelete: true},
		{ListEntry: storage.ListEntry{Key: "a b", Modified: at, Size: 2, ETag: `"2"`, Revision: `"2"`}, Version: "v2"},
		{ListEntry: storage.ListEntry{Key: "a b", Modified: at}, Version: "v1", IsDelete: true},
		{ListEntry: storage.ListEntry{Key: "a b", Modified: at, Size: 1, ETag: `"0"`, Revision: `"0"`}, Version: "null"},
	}, page.Entries, "in the order of the answer, which the times do not tell")

	_, err = d.ListVersions(t.Context(), &storage.ListRequest{Limit: 4, Prefix: "a", Token: page.Token})
	require.NoError(t, err)
	require.Equal(t, []string{
		"GET /photos?encoding-type=url&max-keys=4&prefix=a&versions=",
		"GET /photos?encoding-type=url&key-marker=b%2F1&max-keys=5&prefix=a&version-id-marker=v9&versions=",
	}, w.Lines())
}

func TestListVersionsFromServersOfTheirOwn(t *testing.T) {
	token := versionToken("a", "v2")
	entry := func(tag, id, at string) string {
		return `<` + tag + `><Key>a</Key><VersionId>` + id + `</VersionId><LastModified>` + at + `</LastModified></` + tag + `>`
	}
	for _, row := range []struct {
		name  string
		body  string
		token string // of the request
		want  []string
		more  bool
		code  storage.Code
	}{
		{name: "versions first and markers behind them", body: entry("Version", "v3", "2026-01-02T03:04:09Z") + entry("Version", "v1", "2026-01-02T03:04:05Z") + entry("DeleteMarker", "v2", "2026-01-02T03:04:07Z"), want: []string{"v3", "v2", "v1"}},
		{name: "a page that begins with the marker's version", token: token, body: entry("Version", "v2", "2026-01-02T03:04:05Z") + entry("Version", "v1", "2026-01-02T03:04:05Z"), want: []string{"v1"}},
		{name: "a page with one more, which the next begins with", token: token, body: entry("Version", "v1", "2026-01-02T03:04:05Z") + entry("Version", "v0", "2026-01-02T03:04:05Z") + entry("Version", "v-1", "2026-01-02T03:04:05Z"), want: []string{"v1", "v0"}, more: true},
		{name: "a listing that does not move", token: token, body: `<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>v2</NextVersionIdMarker>`, code: storage.Internal},
		{name: "a listing that goes on nowhere", body: `<IsTruncated>true</IsTruncated>`, code: storage.Internal},
		{name: "an answer that is none", body: entry("Version", "v3", "yesterday"), code: storage.Unavailable},
		{name: "a key that is not escaped as it says", body: `<EncodingType>url</EncodingType><Version><Key>%zz</Key></Version>`, code: storage.Internal},
		{name: "a place to go on that is not escaped as it says", body: `<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>%zz</NextKeyMarker>`, code: storage.Internal},
		{name: "more entries than any page has", body: strings.Repeat("<Version/>", maxPageEntries+1), code: storage.Internal},
		{name: "a token that is none", token: "nonsense", code: storage.InvalidArgument},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newStandIn(t, reply{Body: `<ListVersionsResult>` + row.body + `</ListVersionsResult>`})
			page, err := w.on(t, "versitygw").ListVersions(t.Context(), &storage.ListRequest{Limit: 2 + len(row.want)/3, Token: row.token})
			if row.code != "" {
				require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, e := range page.Entries {
				got = append(got, e.Version)
			}
			require.Equal(t, row.want, got)
			require.Equal(t, row.more, page.Token != "")
		})
	}
}

func TestListVersionsWithPrefixes(t *testing.T) {
	w := newStandIn(t, reply{Body: `<ListVersionsResult><Version><Key>c%2F+</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Owner><ID>o</ID></Owner></Version>
		<CommonPrefixes><Key>no</Key><Prefix>b%2F</Prefix></CommonPrefixes><EncodingType>url</EncodingType></ListVersionsResult>`})
	page, err := w.on(t, "aws").ListVersions(t.Context(), &storage.ListRequest{Limit: 4, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, &storage.VersionPage{Entries: []storage.VersionEntry{
		{ListEntry: storage.ListEntry{Key: "b/", IsPrefix: true}},
		{ListEntry: storage.ListEntry{Key: "c/ "}, Version: "1", Current: true},
	}}, page)
}
