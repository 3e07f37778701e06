package s3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// session is the answer to CreateSession, which the SDK sends before the first request of a directory
// bucket. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html
var session = reply{Body: `<CreateSessionResult><Credentials><AccessKeyId>own</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>` +
	`<SessionToken>of the session</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>`}

func inDirectoryBucket(c *Config) { c.Bucket, c.Region = "photos--use1-az4--x-s3", "us-east-1" }

func TestADirectoryBucketListsInAnyOrder(t *testing.T) {
	w := newStandIn(t, session,
		reply{Body: `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
			<Contents><Key>d/b</Key></Contents><Contents><Key>d/c</Key></Contents></ListBucketResult>`},
		reply{Body: `<ListBucketResult><Contents><Key>d/a</Key></Contents><Contents><Key>d/bb</Key></Contents></ListBucketResult>`})
	b := engine.New(w.on(t, "aws", inDirectoryBucket))
	for _, err := range b.List(t.Context(), storage.WithPrefix("d/b")) {
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "WithAnyOrder")
	}
	require.Empty(t, w.server.Requests())
	var keys []string
	for e, err := range b.List(t.Context(), storage.WithAnyOrder(), storage.WithPrefix("d/b")) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	require.Equal(t, []string{"d/b", "d/bb"}, keys, "the server takes only prefixes that end in a slash")
	require.Equal(t, []string{
		"GET /photos--use1-az4--x-s3?session=",
		"GET /photos--use1-az4--x-s3?encoding-type=url&list-type=2&max-keys=1000&prefix=d%2F",
		"GET /photos--use1-az4--x-s3?continuation-token=next&encoding-type=url&list-type=2&max-keys=1000&prefix=d%2F",
	}, w.server.Lines())
	require.Equal(t, "of the session", w.server.Requests()[1].Header.Get("X-Amz-S3session-Token"))
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html
func TestADirectoryBucketDeclaresWhatItLacks(t *testing.T) {
	for _, name := range []string{"photos--use1-az4--x-s3", "point--use1-az4--xa-s3"} {
		desc := newStandIn(t).on(t, "aws", func(c *Config) { c.Bucket, c.Region = name, "us-east-1" }).Describe()
		for _, f := range []storage.Features{
			storage.OrderedListing, storage.Versioning, storage.ObjectLock, storage.ObjectTags, storage.ObjectACLs,
			storage.StorageClasses, storage.Restoring, storage.ListedUploads, storage.SignedURLs,
		} {
			require.Zero(t, desc.Features&f, name)
		}
		require.NotZero(t, desc.Features&storage.ConditionalCreate, name)
		require.True(t, desc.FolderPrefixes && desc.SlashDelimiter && !desc.FolderOrder, name)
		require.Empty(t, desc.PublicBaseURL, name)
	}
}
