package s3server_test

import (
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

// list returns the keys and common prefixes of a listing, in pages of n.
func (s *store) list(t *testing.T, input *s3.ListObjectsV2Input, n int32) (names []string) {
	t.Helper()
	input.Bucket = aws.String(bucket)
	input.MaxKeys = &n
	input.EncodingType = types.EncodingTypeUrl
	pages := s3.NewListObjectsV2Paginator(s.Client, input)

	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Contents)+len(page.CommonPrefixes), int(n))
		require.Equal(t, len(page.Contents)+len(page.CommonPrefixes), int(*page.KeyCount))

		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, decodeName(t, *o.Key))
		}
		for _, p := range page.CommonPrefixes {
			keys = append(keys, decodeName(t, *p.Prefix))
		}
		slices.Sort(keys)
		names = append(names, keys...)
	}
	return names
}

// decodeName decodes a name from a listing with the EncodingType url.
func decodeName(t *testing.T, name string) string {
	name, err := url.QueryUnescape(name)
	require.NoError(t, err)
	return name
}

// A listing has the keys after a start, with a prefix, up to a delimiter. The size of the pages
// makes no difference.
func TestListObjects(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range []string{"a", "a-b", "a/b", "a/c/1", "a/c/2", "a0", "é", "b/", "b/x"} {
		s.put(t, key, "x")
	}
	tests := []struct {
		name  string
		input s3.ListObjectsV2Input
		want  []string
	}{
		{
			name:  "all",
			input: s3.ListObjectsV2Input{},
			want:  []string{"a", "a-b", "a/b", "a/c/1", "a/c/2", "a0", "b/", "b/x", "é"},
		},
		{
			name:  "delimiter",
			input: s3.ListObjectsV2Input{Delimiter: aws.String("/")},
			want:  []string{"a", "a-b", "a/", "a0", "b/", "é"},
		},
		{
			name:  "prefix",
			input: s3.ListObjectsV2Input{Prefix: aws.String("a/")},
			want:  []string{"a/b", "a/c/1", "a/c/2"},
		},
		{
			name: "prefix and delimiter",
			input: s3.ListObjectsV2Input{
				Prefix:    aws.String("a/"),
				Delimiter: aws.String("/"),
			},
			want: []string{"a/b", "a/c/"},
		},
		{
			name: "prefix that is a key",
			input: s3.ListObjectsV2Input{
				Prefix:    aws.String("b/"),
				Delimiter: aws.String("/"),
			},
			want: []string{"b/", "b/x"},
		},
		{
			name:  "delimiter of two characters",
			input: s3.ListObjectsV2Input{Delimiter: aws.String("/c")},
			want:  []string{"a", "a-b", "a/b", "a/c", "a0", "b/", "b/x", "é"},
		},
		{
			name:  "after a key",
			input: s3.ListObjectsV2Input{StartAfter: aws.String("a/c/1")},
			want:  []string{"a/c/2", "a0", "b/", "b/x", "é"},
		},
		{
			name: "after a key of a common prefix",
			input: s3.ListObjectsV2Input{
				StartAfter: aws.String("a/b"),
				Delimiter:  aws.String("/"),
			},
			want: []string{"a/", "a0", "b/", "é"},
		},
		{name: "after the last key", input: s3.ListObjectsV2Input{StartAfter: aws.String("é")}},
		{name: "prefix of no key", input: s3.ListObjectsV2Input{Prefix: aws.String("z")}},
		{name: "prefix not in ASCII", input: s3.ListObjectsV2Input{Prefix: aws.String("é")}, want: []string{"é"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int32{1, 2, 3, 1000} {
				input := tt.input
				require.Equal(t, tt.want, s.list(t, &input, n), "pages of %d", n)
			}
		})
	}
}

// Listings show the storage class of each object.
func TestListObjectsStorageClass(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a", "x")
	input := putInput("b", "x")
	input.StorageClass = types.StorageClassStandardIa
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	page, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Len(t, page.Contents, 2)
	require.Equal(t, types.ObjectStorageClassStandard, page.Contents[0].StorageClass)
	require.Equal(t, types.ObjectStorageClassStandardIa, page.Contents[1].StorageClass)
}

// ListObjectsV2 lists objects of any key.
func TestListObjectsEachKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range everyKey {
		s.put(t, key, "x")
	}
	want := slices.Sorted(slices.Values(everyKey))
	require.Equal(t, want, s.list(t, &s3.ListObjectsV2Input{}, 7))

	// As on AWS, a page with a control character cannot be parsed unless keys are encoded.
	_, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.ErrorContains(t, err, "illegal character code")
}

// ListObjectsV2 refuses invalid arguments, and limits the size of a page.
func TestListObjectsArguments(t *testing.T) {
	const maxPage = 1000
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "x")

	tests := []struct {
		name  string
		input *s3.ListObjectsV2Input
	}{
		{name: "invalid token", input: &s3.ListObjectsV2Input{ContinuationToken: aws.String("x")}},
		{
			name:  "token of another form",
			input: &s3.ListObjectsV2Input{ContinuationToken: aws.String("AAAAAAAAAAAAa2s=")},
		},
		{name: "unknown encoding", input: &s3.ListObjectsV2Input{EncodingType: "base64"}},
		{name: "negative page size", input: &s3.ListObjectsV2Input{MaxKeys: aws.Int32(-1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.input.Bucket = aws.String(bucket)
			_, err := s.ListObjectsV2(t.Context(), tt.input)
			requireFailure(t, err, 400, "InvalidArgument")
		})
	}

	// A page of 0 objects says that nothing follows.
	none, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(0),
	})
	require.NoError(t, err)
	require.Empty(t, none.Contents)
	require.False(t, *none.IsTruncated)

	// A page has at most 1000 objects, even if the client asks for more.
	many, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(5 * maxPage),
	})
	require.NoError(t, err)
	require.Equal(t, int32(maxPage), *many.MaxKeys)

	// A missing bucket is an error.
	_, err = s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("none")})
	requireFailure(t, err, 404, "NoSuchBucket")
}

// With folderorder, ListObjectsV2 lists keys in the order of a directory tree. The cases are from the source of
// SeaweedFS 4.44.
func TestListObjectsLikeDirectoryTree(t *testing.T) {
	s := startServer(t, folderorder.With(s3server.Config{MaxBytes: 1 << 20}))
	for _, key := range []string{"a-b", "a.c/1", "a/1", "a/2/x", "a/2-y", "a0"} {
		s.put(t, key, "x")
	}
	tests := []struct {
		name  string
		input s3.ListObjectsV2Input
		want  []string
	}{
		{
			name:  "all",
			input: s3.ListObjectsV2Input{},
			want:  []string{"a/1", "a/2/x", "a/2-y", "a-b", "a.c/1", "a0"},
		},
		{
			name:  "delimiter",
			input: s3.ListObjectsV2Input{Delimiter: aws.String("/")},
			want:  []string{"a/", "a-b", "a.c/", "a0"},
		},
		{
			name: "prefix and delimiter",
			input: s3.ListObjectsV2Input{
				Prefix:    aws.String("a/"),
				Delimiter: aws.String("/"),
			},
			want: []string{"a/1", "a/2/", "a/2-y"},
		},
		{
			name:  "after a key",
			input: s3.ListObjectsV2Input{StartAfter: aws.String("a-b")},
			want:  []string{"a.c/1", "a0"},
		},
		{
			name:  "after a key in a folder",
			input: s3.ListObjectsV2Input{StartAfter: aws.String("a/1")},
			want:  []string{"a/2/x", "a/2-y", "a-b", "a.c/1", "a0"},
		},
		{
			name:  "after the name of a folder",
			input: s3.ListObjectsV2Input{StartAfter: aws.String("a")},
			want:  []string{"a-b", "a.c/1", "a0"},
		},
		{
			name: "after a key without the prefix",
			input: s3.ListObjectsV2Input{
				Prefix:     aws.String("a/"),
				StartAfter: aws.String("a"),
			},
		},
		{
			name: "after a common prefix",
			input: s3.ListObjectsV2Input{
				StartAfter: aws.String("a/"),
				Delimiter:  aws.String("/"),
			},
			want: []string{"a-b", "a.c/", "a0"},
		},
		{
			name:  "prefix that ends within a name",
			input: s3.ListObjectsV2Input{Prefix: aws.String("a/2")},
			want:  []string{"a/2/x", "a/2-y"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := tt.input
			input.Bucket = aws.String(bucket)
			input.MaxKeys = aws.Int32(1)
			input.EncodingType = types.EncodingTypeUrl
			var names []string
			pages := s3.NewListObjectsV2Paginator(s.Client, &input)
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				require.NoError(t, err)
				for _, o := range page.Contents {
					names = append(names, decodeName(t, *o.Key))
				}
				for _, p := range page.CommonPrefixes {
					names = append(names, decodeName(t, *p.Prefix))
				}
			}

			require.Equal(t, tt.want, names)
		})
	}
}

// The response to a listing names the bucket's region, like that to HeadBucket.
func TestListObjectsRegion(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "")
	tests := []struct{ method, target string }{
		{method: "HEAD", target: "/photos"},
		{method: "GET", target: "/photos"},
		{method: "GET", target: "/photos?list-type=2"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			response, body := s.sendSigned(t, tt.method, tt.target, "", nil)
			require.Equal(t, 200, response.StatusCode, body)
			require.Equal(t, "us-east-1", response.Header.Get("X-Amz-Bucket-Region"))
		})
	}
}
