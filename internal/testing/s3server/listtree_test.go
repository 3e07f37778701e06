package s3server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/s3server"
)

// What is listed here follows the source of SeaweedFS 4.44.
func TestListingsLikeADirectoryTree(t *testing.T) {
	s := start(t, s3server.Config{FolderOrder: true})
	for _, key := range []string{"a-b", "a.c/1", "a/1", "a/2/x", "a/2-y", "a0"} {
		s.put(t, key, "x")
	}
	for name, test := range map[string]struct {
		in   s3.ListObjectsV2Input
		want []string
	}{
		"all":                          {s3.ListObjectsV2Input{}, []string{"a/1", "a/2/x", "a/2-y", "a-b", "a.c/1", "a0"}},
		"rolled up":                    {s3.ListObjectsV2Input{Delimiter: aws.String("/")}, []string{"a/", "a-b", "a.c/", "a0"}},
		"prefix":                       {s3.ListObjectsV2Input{Prefix: aws.String("a/"), Delimiter: aws.String("/")}, []string{"a/1", "a/2/", "a/2-y"}},
		"after a key":                  {s3.ListObjectsV2Input{StartAfter: aws.String("a-b")}, []string{"a.c/1", "a0"}},
		"after a key in a folder":      {s3.ListObjectsV2Input{StartAfter: aws.String("a/1")}, []string{"a/2/x", "a/2-y", "a-b", "a.c/1", "a0"}},
		"after the name of a folder":   {s3.ListObjectsV2Input{StartAfter: aws.String("a")}, []string{"a-b", "a.c/1", "a0"}},
		"after what lacks the prefix":  {s3.ListObjectsV2Input{Prefix: aws.String("a/"), StartAfter: aws.String("a")}, nil},
		"after a prefix, rolled up":    {s3.ListObjectsV2Input{StartAfter: aws.String("a/"), Delimiter: aws.String("/")}, []string{"a-b", "a.c/", "a0"}},
		"a prefix that is half a name": {s3.ListObjectsV2Input{Prefix: aws.String("a/2")}, []string{"a/2/x", "a/2-y"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := test.in
			in.Bucket, in.MaxKeys, in.EncodingType = aws.String(bucket), aws.Int32(1), types.EncodingTypeUrl
			var names []string
			pages := s3.NewListObjectsV2Paginator(s.Client, &in)
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				require.NoError(t, err)
				for _, o := range page.Contents {
					names = append(names, decoded(t, *o.Key))
				}
				for _, p := range page.CommonPrefixes {
					names = append(names, decoded(t, *p.Prefix))
				}
			}
			require.Equal(t, test.want, names)
		})
	}
}
