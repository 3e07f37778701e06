package s3server_test

import (
	"encoding/xml"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/folderorder"
	"github.com/omnibucket/storage/s3server"
)

// listV1 returns the keys and common prefixes of a listing by ListObjects, in pages of n.
func (s *store) listV1(t *testing.T, input s3.ListObjectsInput, n int32) (names []string) {
	t.Helper()
	input.Bucket = aws.String(bucket)
	input.MaxKeys = &n
	input.EncodingType = types.EncodingTypeUrl

	for {
		page, err := s.ListObjects(t.Context(), &input)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Contents)+len(page.CommonPrefixes), int(n))

		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, decodeName(t, *o.Key))
		}
		for _, p := range page.CommonPrefixes {
			keys = append(keys, decodeName(t, *p.Prefix))
		}
		slices.Sort(keys)
		names = append(names, keys...)
		require.Equal(t, *page.IsTruncated && input.Delimiter != nil, page.NextMarker != nil)

		if !*page.IsTruncated {
			return names
		}
		input.Marker = aws.String(keys[len(keys)-1])
		if page.NextMarker != nil {
			require.Equal(t, *input.Marker, decodeName(t, *page.NextMarker))
		}
	}
}

// A listing of version 1 has the keys after a marker, with a prefix, up to a delimiter. The size of
// the pages makes no difference.
func TestListObjectsV1(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range []string{"a", "a-b", "a/b", "a/c/1", "a/c/2", "a0", "é", "b/", "b/x"} {
		s.put(t, key, "x")
	}
	tests := []struct {
		name  string
		input s3.ListObjectsInput
		want  []string
	}{
		{
			name:  "all",
			input: s3.ListObjectsInput{},
			want:  []string{"a", "a-b", "a/b", "a/c/1", "a/c/2", "a0", "b/", "b/x", "é"},
		},
		{
			name:  "delimiter",
			input: s3.ListObjectsInput{Delimiter: aws.String("/")},
			want:  []string{"a", "a-b", "a/", "a0", "b/", "é"},
		},
		{
			name:  "prefix",
			input: s3.ListObjectsInput{Prefix: aws.String("a/")},
			want:  []string{"a/b", "a/c/1", "a/c/2"},
		},
		{
			name: "prefix and delimiter",
			input: s3.ListObjectsInput{
				Prefix:    aws.String("a/"),
				Delimiter: aws.String("/"),
			},
			want: []string{"a/b", "a/c/"},
		},
		{
			name:  "delimiter of two characters",
			input: s3.ListObjectsInput{Delimiter: aws.String("/c")},
			want:  []string{"a", "a-b", "a/b", "a/c", "a0", "b/", "b/x", "é"},
		},
		{
			name:  "after a key",
			input: s3.ListObjectsInput{Marker: aws.String("a/c/1")},
			want:  []string{"a/c/2", "a0", "b/", "b/x", "é"},
		},
		{
			name: "after a common prefix",
			input: s3.ListObjectsInput{
				Marker:    aws.String("a/"),
				Delimiter: aws.String("/"),
			},
			want: []string{"a0", "b/", "é"},
		},
		{
			name: "after a key of a common prefix",
			input: s3.ListObjectsInput{
				Marker:    aws.String("a/b"),
				Delimiter: aws.String("/"),
			},
			want: []string{"a/", "a0", "b/", "é"},
		},
		{
			name:  "after a common prefix, without delimiter",
			input: s3.ListObjectsInput{Marker: aws.String("a/")},
			want:  []string{"a/b", "a/c/1", "a/c/2", "a0", "b/", "b/x", "é"},
		},
		{name: "after the last key", input: s3.ListObjectsInput{Marker: aws.String("é")}},
		{name: "prefix of no key", input: s3.ListObjectsInput{Prefix: aws.String("z")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int32{1, 2, 3, 1000} {
				require.Equal(t, tt.want, s.listV1(t, tt.input, n), "pages of %d", n)
			}
		})
	}
}

// Version 1 of ListObjects lists objects of any key.
func TestListObjectsV1EachKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range everyKey {
		s.put(t, key, "x")
	}
	require.Equal(t, slices.Sorted(slices.Values(everyKey)), s.listV1(t, s3.ListObjectsInput{}, 7))
}

// A page of version 1 of ListObjects has the elements of that version, such as Marker and Owner.
func TestListObjectsV1Page(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a b", "x")

	response, body := s.sendSigned(t, "GET",
		"/photos?encoding-type=url&prefix=a%20&marker=A%20B&max-keys=5000", "", nil)
	require.Equal(t, 200, response.StatusCode)
	var page struct {
		Prefix, Marker, EncodingType string
		MaxKeys                      int
		KeyCount                     *int
		Contents                     []struct {
			Key   string
			Owner struct{ ID string }
		}
	}
	require.NoError(t, xml.Unmarshal([]byte(body), &page))

	// The server encodes texts, a page has at most 1000 keys, and only version 2 has KeyCount.
	require.Equal(t, "a+", page.Prefix)
	require.Equal(t, "A+B", page.Marker)
	require.Equal(t, "url", page.EncodingType)
	require.Equal(t, 1000, page.MaxKeys)
	require.Nil(t, page.KeyCount)
	require.Len(t, page.Contents, 1)
	require.Equal(t, "a+b", page.Contents[0].Key)
	require.NotEmpty(t, page.Contents[0].Owner.ID)

	// Even an empty marker is in the response.
	_, body = s.sendSigned(t, "GET", "/photos", "", nil)
	require.Contains(t, body, "<Marker></Marker>")
	_, body = s.sendSigned(t, "GET", "/photos?list-type=1", "", nil)
	require.Contains(t, body, "<Marker></Marker>", "only 2 selects version 2")

	// A listing with an invalid argument fails, and so does one of a missing bucket.
	response, body = s.sendSigned(t, "GET", "/photos?encoding-type="+url.QueryEscape("base64"), "", nil)
	require.Equal(t, 400, response.StatusCode)
	require.Equal(t, "InvalidArgument", parseError(t, body).Code)

	response, _ = s.sendSigned(t, "GET", "/none", "", nil)
	require.Equal(t, 404, response.StatusCode)

	// A page of 0 objects says that nothing follows.
	none, err := s.ListObjects(t.Context(), &s3.ListObjectsInput{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(0),
	})
	require.NoError(t, err)
	require.Empty(t, none.Contents)
	require.False(t, *none.IsTruncated)
}

// With folderorder, version 1 of ListObjects lists keys in the order of a directory tree. The cases are from the source
// of SeaweedFS 4.44.
func TestListObjectsV1LikeDirectoryTree(t *testing.T) {
	s := startServer(t, folderorder.With(s3server.Config{MaxBytes: 1 << 20}))
	for _, key := range []string{"a-b", "a.c/1", "a/1", "a/2/x", "a/2-y", "a0"} {
		s.put(t, key, "x")
	}
	tests := []struct {
		name  string
		input s3.ListObjectsInput
		want  []string
	}{
		{
			name:  "all",
			input: s3.ListObjectsInput{},
			want:  []string{"a/1", "a/2/x", "a/2-y", "a-b", "a.c/1", "a0"},
		},
		{
			name:  "delimiter",
			input: s3.ListObjectsInput{Delimiter: aws.String("/")},
			want:  []string{"a/", "a-b", "a.c/", "a0"},
		},
		{
			name:  "after a key",
			input: s3.ListObjectsInput{Marker: aws.String("a/1")},
			want:  []string{"a/2/x", "a/2-y", "a-b", "a.c/1", "a0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Pages of one entry give the same listing as one large page.
			require.Equal(t, tt.want, s.listV1(t, tt.input, 1))
			require.Len(t, s.listV1(t, tt.input, 1000), len(tt.want))
		})
	}
}
