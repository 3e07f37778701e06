package listxml

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// ReadObjects unescapes keys and prefixes if the response has the element EncodingType with the
// value "url". The element can stand anywhere in the response.
func TestReadObjectsUnescapesKeysIfTheResponseSaysSo(t *testing.T) {
	const keys = `<Contents><Key>a+b%2B</Key></Contents><CommonPrefixes><Prefix>c%2F</Prefix></CommonPrefixes>`
	tests := []struct {
		name, response string
		want           []string
	}{
		{name: "escaped", response: `<EncodingType>url</EncodingType>` + keys, want: []string{"a b+", "c/"}},
		{
			name:     "escaped, announced after the keys as by MinIO",
			response: keys + `<EncodingType>url</EncodingType>`,
			want:     []string{"a b+", "c/"},
		},
		{
			name:     "escaped, announced with spaces around",
			response: "<EncodingType>\n url </EncodingType>" + keys,
			want:     []string{"a b+", "c/"},
		},
		{name: "not announced, as by versitygw", response: keys, want: []string{"a+b%2B", "c%2F"}},
		{name: "an empty element", response: `<EncodingType/>` + keys, want: []string{"a+b%2B", "c%2F"}},
		{
			name:     "an unknown escaping",
			response: `<EncodingType>base64</EncodingType>` + keys,
			want:     []string{"a+b%2B", "c%2F"},
		},
		{
			name:     "escaped keys without an escape",
			response: `<EncodingType>url</EncodingType><Contents><Key>a/b</Key></Contents><Contents><Key>a/é</Key></Contents>`,
			want:     []string{"a/b", "a/é"},
		},
		{
			name:     "escaped in lower case",
			response: `<EncodingType>url</EncodingType><Contents><Key>%c3%a9%2f</Key></Contents>`,
			want:     []string{"é/"},
		},
		{
			name:     "escaped, with XML references",
			response: `<EncodingType>url</EncodingType><Contents><Key>a&#37;41&amp;b</Key></Contents>`,
			want:     []string{"aA&b"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range readObjects(t, `<ListBucketResult>`+tt.response+`</ListBucketResult>`).Entries {
				got = append(got, e.Key)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// ReadObjects and ReadVersions fail with errEscaped if the prefix in a response is an escaped form of the
// requested one, but the response does not say so by an EncodingType.
func TestReadObjectsEscapedUnannounced(t *testing.T) {
	tests := []struct {
		name      string
		requested string // the prefix in the request
		response  string // elements of the response
		want      error  // errEscaped or nil
	}{
		{name: "escaped", requested: "a b/", response: `<Prefix>a%20b/</Prefix>`, want: errEscaped},
		{name: "escaped with a plus", requested: "a b/", response: `<Prefix>a+b/</Prefix>`, want: errEscaped},
		{
			name:      "escaped twice, because a common prefix was escaped",
			requested: "a%20b/",
			response:  `<Prefix>a%2520b/</Prefix>`,
			want:      errEscaped,
		},
		{
			name:      "escaped and announced",
			requested: "a b/",
			response:  `<EncodingType>url</EncodingType><Prefix>a%20b/</Prefix>`,
		},
		{name: "not escaped", requested: "a b/", response: `<Prefix>a b/</Prefix>`},
		{
			name:      "a prefix that looks escaped",
			requested: "a%20b/",
			response:  `<Prefix>a%20b/</Prefix>`,
		},
		{name: "no prefix", requested: "a b/"},
		{name: "another prefix", requested: "a b/", response: `<Prefix>a</Prefix>`},
		{name: "no escape", requested: "a b/", response: `<Prefix>a%b/</Prefix>`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := `<ListBucketResult>` + tt.response + `</ListBucketResult>`

			err := ReadObjects([]byte(response), tt.requested, &storage.Page{}, nil)
			require.Equal(t, tt.want, err)

			const markersApart, timesInIDs = false, false
			_, err = ReadVersions([]byte(response), tt.requested, markersApart, timesInIDs)
			require.Equal(t, tt.want, err)
		})
	}
}

// ReadObjects merges objects and prefixes if both are in ascending order, and otherwise keeps their
// order.
func TestReadObjectsMergesAndDoesNotSort(t *testing.T) {
	tests := []struct {
		name     string
		objects  []string
		prefixes []string
		want     []string
	}{
		{
			name:     "both kinds ascend",
			objects:  []string{"a", "a-b", "c"},
			prefixes: []string{"a/", "b/"},
			want:     []string{"a", "a-b", "a/", "b/", "c"},
		},
		{
			name:    "objects that do not ascend",
			objects: []string{"a/1", "a-b", "b"},
			want:    []string{"a/1", "a-b", "b"},
		},
		{
			name:     "objects that do not ascend, and a prefix",
			objects:  []string{"b", "a"},
			prefixes: []string{"0/"},
			want:     []string{"b", "a", "0/"},
		},
		{
			name:     "prefixes that do not ascend",
			objects:  []string{"c"},
			prefixes: []string{"a/", "a-b/"},
			want:     []string{"c", "a/", "a-b/"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var response strings.Builder
			for _, key := range tt.objects {
				response.WriteString(`<Contents><Key>` + key + `</Key></Contents>`)
			}
			for _, key := range tt.prefixes {
				response.WriteString(`<CommonPrefixes><Prefix>` + key + `</Prefix></CommonPrefixes>`)
			}

			page := readObjects(t, `<ListBucketResult>`+response.String()+`</ListBucketResult>`)
			var got []string
			for _, e := range page.Entries {
				got = append(got, e.Key)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// A truncated page without a token is an error. A token of a page that is not truncated is ignored.
func TestReadObjectsReturnsTheToken(t *testing.T) {
	const next = `<NextContinuationToken>n</NextContinuationToken>`
	tests := []struct {
		name, response, wantToken string
		want                      storage.Code
	}{
		{name: "truncated", response: `<IsTruncated>true</IsTruncated>` + next, wantToken: "n"},
		{name: "truncated, announced last", response: next + `<IsTruncated> true </IsTruncated>`, wantToken: "n"},
		{name: "only a token", response: next, wantToken: "n"},
		{name: "not truncated, with a token", response: `<IsTruncated>false</IsTruncated>` + next},
		{name: "neither"},
		{
			name:     "truncated without a token",
			response: `<IsTruncated>true</IsTruncated>`,
			want:     storage.Internal,
		},
		{
			name:     "truncated with an empty token",
			response: `<IsTruncated>true</IsTruncated><NextContinuationToken/>`,
			want:     storage.Internal,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := &storage.Page{}
			response := `<ListBucketResult>` + tt.response + `</ListBucketResult>`
			err := ReadObjects([]byte(response), "", page, nil)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, tt.wantToken, page.Token)
			}
		})
	}
}

// ReadObjects reads an ETag in each form in which servers write it: with or without quotes, and
// with or without references.
func TestReadObjectsReadsETags(t *testing.T) {
	tests := []struct{ name, written, want string }{
		{name: "named references", written: `&quot;x-1&quot;`, want: `"x-1"`},
		{name: "numeric references", written: `&#34;x-1&#x22;`, want: `"x-1"`},
		{name: "quotes", written: `"x-1"`, want: `"x-1"`},
		{name: "no quotes", written: `x-1`, want: `"x-1"`},
		{name: "weak ETag", written: `W/"x-1"`, want: `"x-1"`},
		{name: "no ETag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := readObjects(t, `<ListBucketResult><Contents><ETag>`+tt.written+
				`</ETag></Contents></ListBucketResult>`)
			require.Equal(t, tt.want, page.Entries[0].ETag)
			require.Equal(t, tt.want, page.Entries[0].Revision)
		})
	}
}

// ReadObjects reads each time in whole seconds, whatever its precision and zone.
func TestReadObjectsReadsTimes(t *testing.T) {
	tests := []struct{ name, written string }{
		{name: "seconds", written: "2026-01-02T03:04:05Z"},
		{name: "milliseconds", written: "2026-01-02T03:04:05.999Z"},
		{name: "nanoseconds", written: "2026-01-02T03:04:05.999999999Z"},
		{name: "another time zone", written: "2026-01-02T05:34:05.5+02:30"},
		{name: "no time zone", written: "2026-01-02T03:04:05.1"},
		{name: "spaces around the time", written: " 2026-01-02T03:04:05Z\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := readObjects(t, `<ListBucketResult><Contents><LastModified>`+tt.written+
				`</LastModified></Contents></ListBucketResult>`)
			require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), page.Entries[0].Modified)
		})
	}
}

// pageOf returns a response as S3 writes it. Its keys are the prefix and a number of eight digits.
func pageOf(keys int, prefix string) string {
	var page strings.Builder
	page.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>`)
	for i := range keys {
		fmt.Fprintf(&page, `<Contents><Key>%s%08d</Key>`, prefix, i)
		fmt.Fprintf(&page, `<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;%032x&quot;</ETag>`, i)
		page.WriteString(`<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>`)
		fmt.Fprintf(&page, `<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`, i)
	}
	page.WriteString(`</ListBucketResult>`)
	return page.String()
}

// DecodeWith reads a full page of the longest keys. Such a page is smaller than MaxBytes, the limit
// for a response, even if the server escapes every byte of each key.
func TestDecodeWithLongestKeys(t *testing.T) {
	const keys = 1000 // of a full page

	// A letter has two bytes. With the eight digits that pageOf appends, a key has 1024 bytes.
	const letters = 508
	const escapedLetter = "%C3%A9" // "é"
	response := pageOf(keys, strings.Repeat(escapedLetter, letters))
	require.Less(t, len(response), MaxBytes)

	got := &storage.Page{}
	client := anonymousClient(fixedResponse(response))
	read := DecodeWith(&awss3.ListObjectsV2Output{}, func(response []byte) error {
		return ReadObjects(response, "", got, nil)
	})
	_, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("photos")}, read)
	require.NoError(t, err)

	require.Len(t, got.Entries, keys)
	require.Equal(t, strings.Repeat("é", letters)+"00000999", got.Entries[keys-1].Key)
}

// A page does not refer to the memory of the response, because this memory is used again.
func TestReadObjectsKeepsNothingOfTheResponse(t *testing.T) {
	response := []byte(wholePage)
	got := &storage.Page{}
	require.NoError(t, ReadObjects(response, "", got, nil))

	for i := range response {
		response[i] = 'x'
	}
	require.Equal(t, readObjects(t, wholePage), got)
}

// ReadObjects makes a few allocations for a page of 1,000 keys, and none for each key. For each
// key, the SDK's decoder makes 55 allocations with 2,200 bytes.
func TestReadObjectsAllocatesNothingPerKey(t *testing.T) {
	const keys = 1000
	// A page says that its keys are escaped either before the keys or, in announcedLast, after them.
	const announcement, end = "<EncodingType>url</EncodingType>", "</ListBucketResult>"
	announcedLast := strings.Replace(pageOf(keys, "a+"), announcement, "", 1)
	announcedLast = strings.Replace(announcedLast, end, announcement+end, 1)

	tests := []struct {
		name, response string
		maxAllocations float64
	}{
		{name: "plain keys", response: pageOf(keys, "photos/2026/a-name-of-common-length-"), maxAllocations: 60},
		{name: "escaped keys", response: pageOf(keys, "photos/2026/a+name+of+common+length+"), maxAllocations: 90},
		{name: "escaped keys, announced last", response: announcedLast, maxAllocations: 90},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := []byte(tt.response)
			page := &storage.Page{Entries: make([]storage.ListEntry, 0, keys)}
			allocations := testing.AllocsPerRun(10, func() {
				if err := ReadObjects(response, "", page, page.Entries); err != nil {
					t.Error(err)
				}
			})
			require.Len(t, page.Entries, keys)
			require.LessOrEqual(t, allocations, tt.maxAllocations)
		})
	}
}
