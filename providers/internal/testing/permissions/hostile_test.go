//go:build omnibucket_sdks

package permissions_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/permissions"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A hostilePrefix is a prefix to which a policy is limited. Most of these prefixes contain
// characters with a meaning in policies.
type hostilePrefix struct {
	prefix  string
	inside  string   // a key that begins with the prefix
	outside []string // keys that must stay out of reach
}

var hostilePrefixes = map[string]hostilePrefix{
	"a folder": {
		prefix:  "users/",
		inside:  "users/a",
		outside: []string{"users2/a", "user/a", "users"},
	},
	"a text": {prefix: "users", inside: "users2/a", outside: []string{"user/a", "other"}},
	"a star": {
		prefix:  "users/*",
		inside:  "users/*/a",
		outside: []string{"users/b", "users/b/a", "users/"},
	},
	"a star in the middle": {prefix: "a*z/", inside: "a*z/k", outside: []string{"abz/k", "az/k", "a/z/k"}},
	"a question mark":      {prefix: "a?", inside: "a?b", outside: []string{"abb", "a"}},
	"a variable": {
		prefix:  "${aws:username}/",
		inside:  "${aws:username}/a",
		outside: []string{account + "/a", "a/a", "$/a"},
	},
	"an escape":     {prefix: "${*}", inside: "${*}a", outside: []string{"*a", "a", "${b}a"}},
	"a dollar sign": {prefix: "$", inside: "$a", outside: []string{"a", "{$}a"}},
	"quotes":        {prefix: `q"]}/`, inside: `q"]}/a`, outside: []string{"q/a", `q"/a`}},
	"a backslash":   {prefix: `b\`, inside: `b\a`, outside: []string{"ba", "b/a"}},
	"an expression": {
		prefix:  `users/") || true || ("`,
		inside:  `users/") || true || ("a`,
		outside: []string{"users/a", "a"},
	},
	"letters":      {prefix: "ü/日本/", inside: "ü/日本/a", outside: []string{"u/a", "ü/a"}},
	"another form": {prefix: "u\u0308/", inside: "u\u0308/a", outside: []string{"\u00fc/a"}},
	"the longest": {
		prefix:  strings.Repeat("k", 1024),
		inside:  strings.Repeat("k", 1024),
		outside: []string{strings.Repeat("k", 1023)},
	},
}

const account = "210987654321"

// A user of AWS whose policy is limited to a prefix reaches no key outside of it, whatever the prefix contains.
func TestPolicyHoldsForPrefix(t *testing.T) {
	const key, secret = "AKIAUSERUSERUSERUSER", "user-secret-key"
	for name, test := range hostilePrefixes {
		t.Run(name, func(t *testing.T) {
			// The server knows the owner of the bucket, and the user.
			ownerCredential := s3server.Credential{
				AccessKeyID: s3server.DefaultAccessKeyID,
				SecretKey:   s3server.DefaultSecretKey,
				Account:     s3server.DefaultAccountID,
			}
			userCredential := s3server.Credential{AccessKeyID: key, SecretKey: secret, Account: account}
			amazon := startAmazon(t, s3server.Config{
				Strict:      true,
				Credentials: []s3server.Credential{ownerCredential, userCredential},
			})

			// The owner creates the bucket "photos". Its policy lets the user's account read, list, write and remove
			// below the prefix.
			owner := amazon.service(t, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey)
			create(t, owner, rows.Plain)
			addStatements(t, owner, policyBelow(t, permissions.AWS, "photos", test.prefix), account)

			// The user's requests for the key inside succeed, and those for the keys outside are refused.
			const mayList = true
			user := clientOf(t, amazon.service(t, key, secret))
			requirePrefixHolds(t, clientOf(t, owner), user, "photos", test, mayList)
		})
	}
}

// A user of MinIO whose policy is limited to a prefix reaches no key outside of it, whatever the prefix contains.
func TestPolicyHoldsForPrefixOnMinIO(t *testing.T) {
	m := minio{
		endpoint: testserver.Need(t, "OMNIBUCKET_TEST_MINIO"),
		key:      os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"),
		secret:   os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"),
	}
	number := 0
	for name, test := range hostilePrefixes {
		if strings.ContainsAny(test.prefix, `*?\`) || strings.Contains(test.prefix, "${") {
			// MinIO refuses a policy or a key with these characters.
			continue
		}
		t.Run(name, func(t *testing.T) {
			// The owner creates a new bucket.
			number++
			bucket := fmt.Sprintf("prefixes-%d-%d", os.Getpid(), number)
			owner := m.service(t, m.endpoint, s3.Config{AccessKeyID: m.key, SecretKey: m.secret})
			createNamed(t, owner, bucket, rows.Plain)
			t.Cleanup(func() { empty(t, owner, bucket) })

			// MinIO stores an object in a file with the name of the object, so a long prefix must
			// be shortened.
			const maxFileName = 255
			if len(test.inside) > maxFileName {
				longest := test.inside[:maxFileName]
				test.prefix = longest
				test.inside = longest
				test.outside[0] = longest[:maxFileName-1]
			}

			// The user's session has a policy for the keys below the prefix, and reaches no others.
			policy := policyBelow(t, permissions.MinIO, bucket, test.prefix)
			user := m.service(t, m.endpoint, m.session(t, policy))
			const mayList = false
			requirePrefixHolds(t, clientOf(t, owner), clientOf(t, user), bucket, test, mayList)
		})
	}
}

// policyBelow returns the policy to read, list, write and remove below a prefix.
func policyBelow(t *testing.T, p permissions.Provider, bucket, prefix string) string {
	t.Helper()
	names := []string{"read", "list", "write", "remove"}
	if p == permissions.MinIO { // its policies cannot limit listings
		names = append(names, "-list")
	}
	operations, err := permissions.Parse(names...)
	require.NoError(t, err)
	documents, err := permissions.Grant{Operations: operations, Bucket: bucket, Prefix: prefix}.Documents(p)
	require.NoError(t, err)
	return documents[0].Text
}

// clientOf returns the S3 client of a service.
func clientOf(t *testing.T, service storage.Service) *awss3.Client {
	t.Helper()
	b, err := service.Bucket("photos")
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	return client
}

// requirePrefixHolds requires that a user reaches what is inside of a prefix, and nothing outside of it. mayList is true
// if the policy permits listings of the prefix.
func requirePrefixHolds(t *testing.T, owner, user *awss3.Client, bucket string, test hostilePrefix, mayList bool) {
	t.Helper()
	for _, key := range append([]string{test.inside}, test.outside...) {
		_, err := owner.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: &bucket,
			Key:    aws.String(key),
			Body:   strings.NewReader("text"),
		})
		require.NoError(t, err, key)
	}

	require.Empty(t, denied(t, user, bucket, test.inside))
	require.Equal(t, !mayList, isDenied(listing(t, user, bucket, test.prefix)))
	require.Equal(t, !mayList, isDenied(listing(t, user, bucket, test.inside)))

	for _, key := range test.outside {
		require.Equal(t, []string{"get", "put", "delete", "copy"}, denied(t, user, bucket, key), "%q", key)
		require.True(t, isDenied(listing(t, user, bucket, key)), "list %q", key)
	}
	above := test.prefix[:len(test.prefix)-1]
	require.True(t, isDenied(listing(t, user, bucket, "")), "list all")
	require.True(t, isDenied(listing(t, user, bucket, above)), "list above")
}

// denied sends four requests for a key as the user: get, put, delete and copy. It returns the names
// of those that the server denies.
func denied(t *testing.T, user *awss3.Client, bucket, key string) (names []string) {
	t.Helper()
	object := userObject{user: user, bucket: bucket, key: key}
	requests := []struct {
		name string
		err  error
	}{
		{name: "get", err: object.get(t)},
		{name: "put", err: object.put(t)},
		{name: "delete", err: object.removeAndPut(t)}, // the copy needs the object
		{name: "copy", err: object.copyOntoItself(t)},
	}
	for _, request := range requests {
		if isDenied(request.err) {
			names = append(names, request.name)
		} else {
			require.NoError(t, request.err, request.name)
		}
	}
	return names
}

// A userObject is an object for which a user sends requests.
type userObject struct {
	user        *awss3.Client
	bucket, key string
}

func (o userObject) get(t *testing.T) error {
	output, err := o.user.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
	if err != nil {
		return err
	}
	return output.Body.Close()
}

func (o userObject) put(t *testing.T) error {
	_, err := o.user.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: &o.bucket,
		Key:    &o.key,
		Body:   strings.NewReader("new"),
	})
	return err
}

// removeAndPut removes the object, and stores it again.
func (o userObject) removeAndPut(t *testing.T) error {
	_, err := o.user.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &o.bucket, Key: &o.key})
	if err != nil {
		return err
	}
	return o.put(t)
}

func (o userObject) copyOntoItself(t *testing.T) error {
	source := o.bucket + "/" + escape.Path(o.key)
	_, err := o.user.CopyObject(t.Context(), &awss3.CopyObjectInput{
		Bucket:            &o.bucket,
		Key:               &o.key,
		CopySource:        &source,
		MetadataDirective: "REPLACE",
	})
	return err
}

// listing lists the objects with a prefix.
func listing(t *testing.T, user *awss3.Client, bucket, prefix string) error {
	t.Helper()
	_, err := user.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	return err
}

// isDenied reports whether err is the refusal of a request that the user may not make.
func isDenied(err error) bool {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && response.HTTPStatusCode() == http.StatusForbidden
}
