package s3

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestListRequest(t *testing.T) {
	for _, row := range []struct {
		name    string
		request storage.ListRequest
		query   string
	}{
		{"the first page", storage.ListRequest{Limit: 1000}, "encoding-type=url&list-type=2&max-keys=1000"},
		{"prefix and delimiter", storage.ListRequest{Limit: 10, Prefix: "a b/", Delimiter: "/"}, "delimiter=%2F&encoding-type=url&list-type=2&max-keys=10&prefix=a%20b%2F"},
		{"behind a key", storage.ListRequest{Limit: 10, StartAfter: "k"}, "encoding-type=url&list-type=2&max-keys=10&start-after=k"},
		{"a start before the prefix, which leaves nothing out", storage.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a"}, "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F"},
		{"a start in the prefix", storage.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a/1"}, "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F&start-after=a%2F1"},
		{"a start after the prefix", storage.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a0"}, "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F&start-after=a0"},
		{"a token says where, not the key", storage.ListRequest{Limit: 10, StartAfter: "k", Token: "t+/="}, "continuation-token=t%2B%2F%3D&encoding-type=url&list-type=2&max-keys=10"},
		{"no page is larger than the store's", storage.ListRequest{Limit: 5000}, "encoding-type=url&list-type=2&max-keys=1000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newStandIn(t, reply{Body: `<ListBucketResult></ListBucketResult>`})
			_, err := w.on(t, "aws").List(t.Context(), &row.request)
			require.NoError(t, err)
			require.Equal(t, []string{"GET /photos?" + row.query}, w.Lines())
		})
	}
}

func TestListAnswer(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := newStandIn(t, reply{Body: `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
		<Contents><Key>a+b%2Bc%01</Key><Size>3</Size><ETag>"x"</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>
		<Contents><Key>c%25</Key><Size>4</Size><ETag>y</ETag><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>
		<CommonPrefixes><Prefix>b%2F</Prefix></CommonPrefixes></ListBucketResult>`})
	page, err := w.on(t, "aws").List(t.Context(), &storage.ListRequest{Limit: 3, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, &storage.Page{Token: "next", Entries: []storage.ListEntry{
		{Key: "a b+c\x01", Size: 3, ETag: `"x"`, Revision: `"x"`, Modified: at},
		{Key: "b/", IsPrefix: true},
		{Key: "c%", Size: 4, ETag: `"y"`, Revision: `"y"`, Modified: at},
	}}, page)
}

func TestListReadsKeysAsTheAnswerSays(t *testing.T) {
	const keys = `<Contents><Key>a+b%2B</Key></Contents><CommonPrefixes><Prefix>c%2F</Prefix></CommonPrefixes>`
	for _, row := range []struct {
		name, answer string
		want         []string
	}{
		{"that they are escaped", `<EncodingType>url</EncodingType>` + keys, []string{"a b+", "c/"}},
		{"the same behind them, as MinIO does", keys + `<EncodingType>url</EncodingType>`, []string{"a b+", "c/"}},
		{"the same with spaces around", "<EncodingType>\n url </EncodingType>" + keys, []string{"a b+", "c/"}},
		{"nothing, as versitygw does", keys, []string{"a+b%2B", "c%2F"}},
		{"nothing, in an element", `<EncodingType/>` + keys, []string{"a+b%2B", "c%2F"}},
		{"another way, which nobody knows", `<EncodingType>base64</EncodingType>` + keys, []string{"a+b%2B", "c%2F"}},
		{"that they are escaped, of keys that need it not", `<EncodingType>url</EncodingType><Contents><Key>a/b</Key></Contents><Contents><Key>a/é</Key></Contents>`, []string{"a/b", "a/é"}},
		{"that they are escaped, in small letters", `<EncodingType>url</EncodingType><Contents><Key>%c3%a9%2f</Key></Contents>`, []string{"é/"}},
		{"that they are escaped, and references beside", `<EncodingType>url</EncodingType><Contents><Key>a&#37;41&amp;b</Key></Contents>`, []string{"aA&b"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, e := range listed(t, `<ListBucketResult>`+row.answer+`</ListBucketResult>`).Entries {
				got = append(got, e.Key)
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestListMergesAndDoesNotSort(t *testing.T) {
	const object, prefix = `<Contents><Key>%</Key></Contents>`, `<CommonPrefixes><Prefix>%</Prefix></CommonPrefixes>`
	for _, row := range []struct {
		name              string
		objects, prefixes []string
		want              []string
	}{
		{"both kinds ascend", []string{"a", "a-b", "c"}, []string{"a/", "b/"}, []string{"a", "a-b", "a/", "b/", "c"}},
		{"objects that do not", []string{"a/1", "a-b", "b"}, nil, []string{"a/1", "a-b", "b"}},
		{"objects that do not, beside a prefix", []string{"b", "a"}, []string{"0/"}, []string{"b", "a", "0/"}},
		{"prefixes that do not", []string{"c"}, []string{"a/", "a-b/"}, []string{"c", "a/", "a-b/"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var answer strings.Builder
			for _, key := range row.objects {
				answer.WriteString(strings.Replace(object, "%", key, 1))
			}
			for _, key := range row.prefixes {
				answer.WriteString(strings.Replace(prefix, "%", key, 1))
			}
			var got []string
			for _, e := range listed(t, `<ListBucketResult>`+answer.String()+`</ListBucketResult>`).Entries {
				got = append(got, e.Key)
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestListGoesOn(t *testing.T) {
	const next = `<NextContinuationToken>n</NextContinuationToken>`
	for _, row := range []struct {
		name, answer, token string
		code                storage.Code
	}{
		{"where the answer says so", `<IsTruncated>true</IsTruncated>` + next, "n", ""},
		{"where it says so last", next + `<IsTruncated> true </IsTruncated>`, "n", ""},
		{"where it says nothing, and names the next page", next, "n", ""},
		{"not where it says that it does not", `<IsTruncated>false</IsTruncated>` + next, "", ""},
		{"not where it says nothing", ``, "", ""},
		{"and nobody knows where", `<IsTruncated>true</IsTruncated>`, "", storage.Internal},
		{"to a page without a name", `<IsTruncated>true</IsTruncated><NextContinuationToken/>`, "", storage.Internal},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := &storage.Page{}
			err := readPage([]byte(`<ListBucketResult>`+row.answer+`</ListBucketResult>`), page, nil)
			require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, row.token, page.Token)
			}
		})
	}
}

func TestListReadsTags(t *testing.T) {
	for _, row := range []struct{ name, written, want string }{
		{"with references", `&quot;x-1&quot;`, `"x-1"`},
		{"with numbers", `&#34;x-1&#x22;`, `"x-1"`},
		{"as they are", `"x-1"`, `"x-1"`},
		{"without quotes", `x-1`, `"x-1"`},
		{"marked as weak", `W/"x-1"`, `"x-1"`},
		{"none", ``, ``},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := listed(t, `<ListBucketResult><Contents><ETag>`+row.written+`</ETag></Contents></ListBucketResult>`).Entries[0]
			require.Equal(t, row.want, e.ETag)
			require.Equal(t, row.want, e.Revision)
		})
	}
}

func TestListReadsTimes(t *testing.T) {
	for _, row := range []struct{ name, written string }{
		{"to the second", "2026-01-02T03:04:05Z"},
		{"to the millisecond", "2026-01-02T03:04:05.999Z"},
		{"to the nanosecond", "2026-01-02T03:04:05.999999999Z"},
		{"of another zone", "2026-01-02T05:34:05.5+02:30"},
		{"without a zone", "2026-01-02T03:04:05.1"},
		{"with spaces around", " 2026-01-02T03:04:05Z\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := listed(t, `<ListBucketResult><Contents><LastModified>`+row.written+`</LastModified></Contents></ListBucketResult>`).Entries[0]
			require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), e.Modified)
		})
	}
}

func TestListFailures(t *testing.T) {
	for _, row := range []struct {
		name  string
		reply reply
		code  storage.Code
	}{
		{"a missing bucket", failing(404, "NoSuchBucket", ""), storage.BucketNotFound},
		{"a missing bucket, without a word", reply{Status: 404}, storage.BucketNotFound},
		{"a token of somebody else's", failing(400, "InvalidArgument", "The continuation token provided is incorrect"), storage.InvalidArgument},
		{"a page that goes on nowhere", reply{Body: `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`}, storage.Internal},
		{"a key that is not escaped as it says", reply{Body: `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>`}, storage.Internal},
		{"a key whose escaping breaks off", reply{Body: `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%2</Key></Contents></ListBucketResult>`}, storage.Internal},
		{"a page that breaks off", reply{Header: map[string]string{"Content-Length": "500"}, Body: `<ListBucketResult><Contents>`}, storage.Unavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newStandIn(t, row.reply).on(t, "aws").List(t.Context(), &storage.ListRequest{Limit: 3})
			require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
		})
	}
}
