package policies_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/policies"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A smallProgram is one of the programs of package policies.
type smallProgram struct {
	name string
	// buckets are the buckets of the program. Their names on the server begin with "policies-" and
	// the name of the program.
	buckets []string
	// before and after are the keys in each bucket before and after the program runs. All objects
	// have tags, except those of a directory.
	before, after map[string][]string
	old           string // bucket whose objects were stored two hours ago; "" if there is none
	run           func(ctx context.Context, t *testing.T, urls addresses) error
}

// The addresses of a run have functions that return the address of a bucket. In some runs, the
// destination is at another address of the server, so that no server copies the objects.
type addresses struct{ src, dst func(bucket string) string }

var smallPrograms = []smallProgram{
	{
		name:    "avatar",
		buckets: []string{"pictures"},
		run: func(ctx context.Context, _ *testing.T, urls addresses) error {
			return policies.Avatar(ctx, urls.src("pictures"))
		},
	},
	{
		name:    "backup",
		buckets: []string{"backups"},
		before:  map[string][]string{"backups": {"old.txt"}},
		after:   map[string][]string{"backups": {"new.txt", "old.txt"}},
		run: func(ctx context.Context, t *testing.T, urls addresses) error {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "new.txt"), []byte("text"), 0o600))
			return policies.Backup(ctx, urls.src("backups"), dir, t.TempDir())
		},
	},
	{
		name:    "lister",
		buckets: []string{"logs"},
		before:  map[string][]string{"logs": {"logs/a", "secret"}},
		after:   map[string][]string{"logs": {"logs/a", "secret"}},
		run: func(ctx context.Context, _ *testing.T, urls addresses) error {
			sum, err := policies.Lister(ctx, urls.src("logs"))
			if err == nil && sum != int64(len(contentOf("logs", "logs/a"))) {
				err = errors.New("the sum is wrong")
			}
			return err
		},
	},
	{
		name:    "mirror",
		buckets: []string{"source", "mirror"},
		before: map[string][]string{
			"source": {"both.txt", "new.txt"},
			"mirror": {"both.txt", "surplus.txt"},
		},
		after: map[string][]string{"source": {"both.txt", "new.txt"}, "mirror": {"both.txt", "new.txt"}},
		run: func(ctx context.Context, _ *testing.T, urls addresses) error {
			return policies.Mirror(ctx, urls.src("source"), urls.dst("mirror"))
		},
	},
	{
		name:    "migration",
		buckets: []string{"source", "target"},
		// A move only looks at an object of its destination if that is an hour newer.
		old:    "source",
		before: map[string][]string{"source": {"both.txt", "new.txt"}, "target": {"both.txt"}},
		after:  map[string][]string{"target": {"both.txt", "new.txt"}},
		run: func(ctx context.Context, _ *testing.T, urls addresses) error {
			return policies.Migration(ctx, urls.src("source"), urls.dst("target"))
		},
	},
}

// contentOf returns the content of an object before a program runs. Objects with one key have
// contents of the same size in different buckets.
func contentOf(bucket, key string) string { return fmt.Sprintf("%-10s %s", bucket, key) }

// A policyServer is a server that gives sessions the permissions of a policy.
type policyServer struct {
	endpoint, key, secret string
	provider              string // name of the provider for the analyzer
	query                 url.Values
	// putOld stores an object as if it had been stored two hours ago.
	putOld func(t *testing.T, bucket, key, content string)
}

var someTags = map[string]string{"team": "blue"}

// bucketOf returns the name of a bucket of a program on the server.
func bucketOf(p *smallProgram, name string) string { return "policies-" + p.name + "-" + name }

// addresses returns a function that returns addresses of the buckets of a program.
func (s *policyServer) addresses(p *smallProgram, endpoint string) func(name string) string {
	query := maps.Clone(s.query)
	query.Set("endpoint", endpoint)
	return func(name string) string { return "s3://" + bucketOf(p, name) + "?" + query.Encode() }
}

// service opens the account of the owner of all buckets.
func (s *policyServer) service(t *testing.T) storage.Service {
	t.Helper()
	profile, ok := s3.NamedProfile(s.query.Get("profile"))
	require.True(t, ok)

	pathStyle := true
	service, err := s3.NewService(t.Context(), s3.Config{
		Region:      s.query.Get("region"),
		Endpoint:    s.endpoint,
		Profile:     &profile,
		PathStyle:   &pathStyle,
		AccessKeyID: s.key,
		SecretKey:   s.secret,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service
}

// session returns credentials that have only the permissions of a policy.
func (s *policyServer) session(t *testing.T, policy string) aws.Credentials {
	t.Helper()
	client := sts.New(sts.Options{
		Region:       s.query.Get("region"),
		BaseEndpoint: &s.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(s.key, s.secret, ""),
	})
	output, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
		Policy:          &policy,
	})
	require.NoError(t, err)
	return aws.Credentials{
		AccessKeyID:     *output.Credentials.AccessKeyId,
		SecretAccessKey: *output.Credentials.SecretAccessKey,
		SessionToken:    *output.Credentials.SessionToken,
	}
}

// client returns a client of the SDK with these credentials.
func (s *policyServer) client(c aws.Credentials) *awss3.Client {
	return awss3.New(awss3.Options{
		Region:       s.query.Get("region"),
		BaseEndpoint: &s.endpoint,
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey,
			c.SessionToken),
	})
}

// ourServer starts the S3 server of this repository.
func ourServer(t *testing.T) *policyServer {
	var ago atomic.Int64
	server, err := s3server.Start(s3server.Config{
		Strict: true,
		Now:    func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) },
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	putOld := func(t *testing.T, bucket, key, content string) {
		ago.Store(int64(2 * time.Hour))
		defer ago.Store(0)
		_, err := server.Bucket(bucket).Upload(t.Context(), key, strings.NewReader(content),
			storage.WithTags(someTags))
		require.NoError(t, err)
	}
	return &policyServer{
		endpoint: server.URL,
		key:      s3server.DefaultAccessKeyID,
		secret:   s3server.DefaultSecretKey,
		provider: "aws",
		query: url.Values{
			"path_style": {"true"},
			"profile":    {"omnibucket"},
			"region":     {s3server.DefaultRegion},
		},
		putOld: putOld,
	}
}

// minio returns the MinIO server of the tests.
func minio(t *testing.T) *policyServer {
	s := &policyServer{
		endpoint: testserver.Need(t, "OMNIBUCKET_TEST_MINIO"),
		key:      os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"),
		secret:   os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"),
		provider: "minio",
		query:    url.Values{"path_style": {"true"}, "profile": {"minio"}, "region": {"us-east-1"}},
	}
	client := s.client(aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret})
	s.putOld = func(t *testing.T, bucket, key, content string) {
		_, err := client.PutObject(
			t.Context(),
			&awss3.PutObjectInput{
				Bucket:  &bucket,
				Key:     &key,
				Body:    strings.NewReader(content),
				Tagging: aws.String("team=blue"),
			},
			awss3.WithAPIOptions(smithyhttp.SetHeaderValue("X-Minio-Source-Mtime",
				time.Now().UTC().Add(-2*time.Hour).Format(time.RFC3339Nano))),
		)
		require.NoError(t, err)
	}
	return s
}

// Each of five programs works with exactly the policies that the analyzer prints for it. Without any one action of
// these policies, it fails, unless only failures need the action.
func TestProgramsWorkWithTheirPolicies(t *testing.T) { testEachAction(t, ourServer(t)) }

// The policies are also right for MinIO.
func TestProgramsWorkWithTheirPoliciesOnMinIO(t *testing.T) { testEachAction(t, minio(t)) }

// testEachAction runs each program with its policy, and then without each action of the policy in turn.
func testEachAction(t *testing.T, s *policyServer) {
	printed := s.printedPolicies(t)
	owner := s.service(t)
	for i := range smallPrograms {
		p := &smallPrograms[i]
		t.Run(p.name, func(t *testing.T) {
			for _, name := range p.buckets {
				create(t, owner, bucketOf(p, name))
			}
			policy := printed[p.name]
			require.NoError(t, s.run(t, owner, p, policy))

			for i, statement := range policy.Statement {
				resource := strings.TrimPrefix(statement.Resource, "arn:aws:s3:::policies-")
				for _, action := range statement.Action {
					t.Run("without "+action+" on "+resource, func(t *testing.T) {
						err := s.run(t, owner, p, policy.without(i, action))
						if slices.Contains(statement.marked, action) {
							require.NoError(t, err, "the program needs the action without a failure")
						} else {
							require.Error(t, err, "the program does not need the action")
						}
					})
				}
			}
		})
	}
}

// create creates a bucket, and removes it with everything in it after the test.
func create(t *testing.T, owner storage.Service, bucket string, opts ...storage.BucketOption) {
	t.Helper()
	_, err := owner.CreateBucket(t.Context(), bucket, opts...)
	if storage.CodeOf(err) != storage.BucketExists { // as a test that was killed leaves it
		require.NoError(t, err)
	}
	t.Cleanup(func() { removeBucket(t, owner, bucket) })
}

// removeBucket removes a bucket with all versions and delete markers in it.
func removeBucket(t *testing.T, owner storage.Service, bucket string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	b, err := owner.Bucket(bucket)
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	remove := func(key, version *string) {
		_, err := client.DeleteObject(ctx, &awss3.DeleteObjectInput{
			Bucket:    &bucket,
			Key:       key,
			VersionId: version,
		})
		require.NoError(t, err)
	}

	all, err := client.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{Bucket: &bucket})
	require.NoError(t, err)
	for _, v := range all.Versions {
		remove(v.Key, v.VersionId)
	}
	for _, marker := range all.DeleteMarkers {
		remove(marker.Key, marker.VersionId)
	}
	require.NoError(t, owner.DeleteBucket(ctx, bucket))
}

// run runs the program with a session that has the policy. If the program uses two buckets, it
// runs a second time with another address of the server for one of them.
func (s *policyServer) run(t *testing.T, owner storage.Service, p *smallProgram, policy printedPolicy) error {
	t.Helper()
	if len(policy.Statement) == 0 { // no server accepts an empty policy
		nothing := printedStatement{
			Effect:   "Allow",
			Action:   []string{"s3:GetObject"},
			Resource: "arn:aws:s3:::none/*",
		}
		policy.Statement = []printedStatement{nothing}
	}
	text, err := json.Marshal(policy)
	require.NoError(t, err)

	// The program finds the credentials of the session in its environment.
	session := s.session(t, string(text))
	t.Setenv("AWS_ACCESS_KEY_ID", session.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", session.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", session.SessionToken)

	address := s.addresses(p, s.endpoint)
	runs := []addresses{{src: address, dst: address}}
	if len(p.buckets) > 1 {
		// For the program, the same server under another name is another server.
		otherAddress := s.addresses(p, strings.Replace(s.endpoint, "127.0.0.1", "localhost", 1))
		runs = append(runs, addresses{src: address, dst: otherAddress})
	}
	for _, urls := range runs {
		s.fill(t, owner, p)
		err = errors.Join(err, p.run(t.Context(), t, urls), s.check(t, owner, p))
	}
	return err
}

// fill stores the objects of the program, with tags, and removes all others.
func (s *policyServer) fill(t *testing.T, owner storage.Service, p *smallProgram) {
	t.Helper()
	for _, name := range p.buckets {
		b, err := owner.Bucket(bucketOf(p, name))
		require.NoError(t, err)
		for object, err := range b.List(t.Context()) {
			require.NoError(t, err)
			require.NoError(t, b.Remove(t.Context(), object.Key))
		}
		for _, key := range p.before[name] {
			if name == p.old {
				s.putOld(t, bucketOf(p, name), key, contentOf(name, key))
				continue
			}
			_, err := b.Upload(t.Context(), key, strings.NewReader(contentOf(name, key)),
				storage.WithTags(someTags))
			require.NoError(t, err)
		}
	}
}

// check returns an error if a bucket has other objects than it should have after a run, or if a
// copied object has other tags than its source.
func (s *policyServer) check(t *testing.T, owner storage.Service, p *smallProgram) error {
	t.Helper()
	for _, name := range p.buckets {
		b, err := owner.Bucket(bucketOf(p, name))
		require.NoError(t, err)
		var keys []string
		for object, err := range b.List(t.Context()) {
			require.NoError(t, err)
			keys = append(keys, object.Key)
			tags, err := storage.Tags(t.Context(), b, object.Key)
			require.NoError(t, err)
			if len(p.buckets) > 1 && !maps.Equal(tags, someTags) {
				return fmt.Errorf("%s in bucket %s has the tags %v", object.Key, name, tags)
			}
		}
		if !slices.Equal(keys, p.after[name]) {
			return fmt.Errorf("bucket %s has %q", name, keys)
		}
	}
	return nil
}

// A printedPolicy has the statements of all policies that the analyzer prints for a program.
type printedPolicy struct {
	Version   string
	Statement []printedStatement
}

// A printedStatement is one statement of a policy.
type printedStatement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition any      `json:",omitempty"`
	marked    []string // actions that only failures need
}

// without returns a copy of the policy in which the statement with this index does not allow the action.
func (p printedPolicy) without(index int, action string) printedPolicy {
	p.Statement = slices.Clone(p.Statement)
	statement := &p.Statement[index]
	statement.Action = slices.DeleteFunc(slices.Clone(statement.Action), func(other string) bool {
		return other == action
	})
	if len(statement.Action) == 0 {
		p.Statement = slices.Delete(p.Statement, index, index+1)
	}
	return p
}

// printedPolicies returns what the analyzer prints for each program, from a file. A test of the analyzer compares the
// file with its output, and writes the file with -update.
func (s *policyServer) printedPolicies(t *testing.T) map[string]printedPolicy {
	t.Helper()
	printed, err := os.ReadFile(filepath.Join("testdata", s.provider+".txt"))
	require.NoError(t, err)

	// Before each policy are comments, which begin with the name of its program.
	all := map[string]printedPolicy{}
	for document := range strings.SplitSeq(string(printed), "# internal/testing/policies/") {
		comments, _, ok := strings.Cut(document, "{\n")
		if !ok {
			continue
		}
		program, _, _ := strings.Cut(comments, ":")
		var policy printedPolicy
		require.NoError(t, json.Unmarshal([]byte(document[len(comments):]), &policy), "%s", document)

		// A comment may also name the actions that only failures need.
		_, marked, _ := strings.Cut(comments, "# Only failures need ")
		for i := range policy.Statement {
			policy.Statement[i].marked = strings.Split(strings.TrimSuffix(marked, ".\n"), ", ")
		}
		policy.Statement = append(all[program].Statement, policy.Statement...)
		all[program] = policy
	}
	require.Len(t, all, len(smallPrograms))
	return all
}
