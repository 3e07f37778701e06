package s3server_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// stsClient returns the SDK's client, which signs with a key of twoAccounts.
func stsClient(s *store, key s3server.Credential) *sts.Client {
	return sts.New(sts.Options{
		HTTPClient:   s.server.Client(),
		Region:       "us-east-1",
		BaseEndpoint: &s.server.URL,
		Retryer:      aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretKey,
			key.SessionToken),
	})
}

// newSession returns temporary credentials of a key of twoAccounts.
func newSession(t *testing.T, s *store, key int, policy string) *types.Credentials {
	t.Helper()
	input := &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
	}
	if policy != "" {
		input.Policy = &policy
	}
	output, err := stsClient(s, twoAccounts[key]).AssumeRole(t.Context(), input)
	require.NoError(t, err)
	return output.Credentials
}

// sessionClient returns a client with temporary credentials.
func sessionClient(s *store, c *types.Credentials) *s3.Client {
	return s.client(func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey,
			*c.SessionToken)
	})
}

// allowPolicy returns a policy that allows an action.
func allowPolicy(action, resource string) string {
	return fmt.Sprintf(
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": %q, "Resource": %q}]}`,
		action,
		resource,
	)
}

const inFolder = "arn:aws:s3:::photos/folder/*"

// A session may do what both its caller and its session policy permit.
func TestSessionRights(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "folder/k", "content")
	s.put(t, "other", "content")
	tests := []struct {
		name, policy string
		key          int  // index in twoAccounts of the key that asks for the session
		readsFolder  bool // whether the session may read folder/k
		writesFolder bool // whether it may write folder/new
		readsOther   bool // whether it may read the key beside the folder
	}{
		{name: "no policy", key: ownerKey, readsFolder: true, writesFolder: true, readsOther: true},
		{name: "no policy, of a key that only reads", key: readOnlyKey, readsFolder: true, readsOther: true},
		{
			name:         "everything",
			policy:       allowPolicy("*", "*"),
			key:          ownerKey,
			readsFolder:  true,
			writesFolder: true,
			readsOther:   true,
		},
		{
			name:        "everything, of a key that only reads",
			policy:      allowPolicy("s3:*", "*"),
			key:         readOnlyKey,
			readsFolder: true,
			readsOther:  true,
		},
		{name: "everything, of another account", policy: allowPolicy("s3:*", "*"), key: otherKey},
		{name: "reads", policy: allowPolicy("s3:GetObject", inFolder), key: ownerKey, readsFolder: true},
		{name: "writes", policy: allowPolicy("s3:PutObject", inFolder), key: ownerKey, writesFolder: true},
		{name: "another bucket", policy: allowPolicy("s3:*", "arn:aws:s3:::photos2/*"), key: ownerKey},
		{name: "another service", policy: allowPolicy("kms:*", "*"), key: ownerKey},
		{
			name: "a denial",
			policy: `{"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
				{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
			]}`,
			key:         ownerKey,
			readsFolder: true,
			readsOther:  true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := sessionClient(s, newSession(t, s, tt.key, tt.policy))
			requireAccess := func(permitted bool, err error) {
				t.Helper()
				if permitted {
					require.NoError(t, err)
				} else {
					requireFailure(t, err, 403, "AccessDenied")
				}
			}

			_, err := client.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("folder/k"),
			})
			requireAccess(tt.readsFolder, err)
			_, err = client.PutObject(t.Context(), putInput("folder/new", "x"))
			requireAccess(tt.writesFolder, err)
			_, err = client.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("other"),
			})
			requireAccess(tt.readsOther, err)
		})
	}
}

// A session gets AccessDenied for everything that its own policy does not permit, even for a missing bucket.
func TestSessionPolicyBindsEverywhere(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.put(t, "other", "content")
	missing := aws.String("no-such-bucket")
	client := sessionClient(s, newSession(t, s, ownerKey, allowPolicy("s3:PutObject", inFolder)))

	// Tags, lists of buckets and new buckets need other permissions.
	tagged := putInput("folder/k", "x")
	tagged.Tagging = aws.String("a=b")
	_, err := client.PutObject(t.Context(), tagged)
	requireFailure(t, err, 403, "AccessDenied")
	_, err = client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new-one")})
	requireFailure(t, err, 403, "AccessDenied")

	// The client must not learn that the bucket is missing.
	_, err = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: missing, Key: aws.String("k")})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: missing,
		Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("k")}}},
	})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("folder/k"),
		CopySource: aws.String("no-such-bucket/k"),
	})
	requireFailure(t, err, 403, "AccessDenied")

	// Another policy permits the list of buckets.
	client = sessionClient(s, newSession(t, s, ownerKey, allowPolicy("s3:ListAllMyBuckets", "*")))
	_, err = client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
}

// A session that may not list the bucket gets AccessDenied instead of NoSuchKey for a missing key.
func TestSessionMissingKeysAreDenied(t *testing.T) {
	s := startServer(t, s3server.Config{})
	getMissing := func(policy string) error {
		client := sessionClient(s, newSession(t, s, ownerKey, policy))
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("folder/none"),
		})
		return err
	}

	mayGet := allowPolicy("s3:GetObject", inFolder)
	requireFailure(t, getMissing(mayGet), 403, "AccessDenied")

	mayGetAndList := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "` + inFolder + `"},
		{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos"}
	]}`
	requireFailure(t, getMissing(mayGetAndList), 404, "NoSuchKey")
}

// A session can sign URLs and forms.
func TestSessionPresignedURLsAndForms(t *testing.T) {
	clk := &clock{}
	s := startServer(t, s3server.Config{Now: clk.now})
	s.put(t, "folder/k", "content")
	s.put(t, "other", "content")
	client := sessionClient(
		s,
		newSession(
			t,
			s,
			0,
			`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], `+
				`"Resource": "`+inFolder+`"}]}`,
		),
	)
	presign := s3.NewPresignClient(client, s3.WithPresignExpires(24*time.Hour))
	get := func(key string, change func(url string) string) int {
		presigned, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		response, _ := s.send(t, "GET", change(presigned.URL), nil, nil)
		return response.StatusCode
	}
	same := func(url string) string { return url }
	withoutToken := func(url string) string {
		prefix, suffix, _ := strings.Cut(url, "X-Amz-Security-Token=")
		_, suffix, _ = strings.Cut(suffix, "&")
		return prefix + suffix
	}
	post := func(key string, change func(map[string]string)) int {
		presigned, err := presign.PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		change(presigned.Values)
		response, _ := s.post(t, presigned.URL, presigned.Values, "posted")
		return response.StatusCode
	}

	unchanged := func(map[string]string) {}
	require.Equal(t, 200, get("folder/k", same))
	require.Equal(t, 403, get("other", same))
	require.Equal(t, 403, get("folder/k", withoutToken))
	require.Equal(t, 204, post("folder/form", unchanged))
	require.Equal(t, 403, post("other-form", unchanged))
	require.Equal(
		t,
		403,
		post("folder/form2", func(fields map[string]string) {
			delete(fields, "X-Amz-Security-Token")
		}),
	)
	require.Equal(t, []string{"folder/form", "folder/k", "other"}, s.keys(t))

	expiring, err := presign.PresignGetObject(
		t.Context(),
		&s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("folder/k")},
	)
	require.NoError(t, err)
	clk.move(time.Hour)
	response, body := s.send(t, "GET", expiring.URL, nil, nil)
	require.Equal(t, 400, response.StatusCode, "the URL is valid for a day, and the session was for an hour")
	require.Contains(t, body, "<Code>ExpiredToken</Code>")
}

// dropPolicy returns the content of a session token without its policy.
func dropPolicy(t *testing.T, content string) string {
	text, err := base64.RawURLEncoding.DecodeString(content)
	require.NoError(t, err)
	fields := map[string]any{}

	require.NoError(t, json.Unmarshal(text, &fields))
	require.Contains(t, fields, "policy")
	delete(fields, "policy")
	text, err = json.Marshal(fields)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(text)
}

// The server refuses an altered session token.
func TestSessionAltered(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "folder/k", "content")
	valid := newSession(t, s, ownerKey, allowPolicy("s3:GetObject", inFolder))
	another := newSession(t, s, readOnlyKey, "")
	content, signature, _ := strings.Cut(*valid.SessionToken, ".")

	tests := []struct {
		name   string
		change func(c *types.Credentials)
		status int
		code   string
	}{
		{
			name: "another secret",
			change: func(c *types.Credentials) {
				c.SecretAccessKey = another.SecretAccessKey
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		{
			name: "another key",
			change: func(c *types.Credentials) {
				c.AccessKeyId = another.AccessKeyId
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "another token",
			change: func(c *types.Credentials) {
				c.SessionToken = another.SessionToken
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "no token",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String("")
			},
			status: 403,
			code:   "InvalidAccessKeyId",
		},
		{
			name: "a token without signature",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String(content + ".")
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "a token of another content",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String("e30." + signature)
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "a token without its policy",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String(dropPolicy(t, content) + "." + signature)
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "a text",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String("text")
			},
			status: 400,
			code:   "InvalidToken",
		},
		{
			name: "the key of its caller",
			change: func(c *types.Credentials) {
				c.AccessKeyId = aws.String(twoAccounts[0].AccessKeyID)
			},
			status: 400,
			code:   "InvalidToken",
		},
	}
	for _, tt := range tests {
		altered := *valid
		tt.change(&altered)
		_, err := sessionClient(
			s,
			&altered,
		).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("folder/k")})
		requireFailure(t, err, tt.status, tt.code)
		require.Error(t, err, tt.name)
	}
}

// Every server with the same credential accepts a session, because no server stores it.
func TestSessionWorksInEachServer(t *testing.T) {
	owner := twoAccounts[ownerKey]
	s := startServer(t, s3server.Config{Credentials: []s3server.Credential{owner}})
	session := newSession(t, s, ownerKey, "")
	tests := []struct {
		name       string
		credential s3server.Credential // of another server
		code       string              // "" if that server accepts the session
	}{
		{name: "the same credential", credential: owner},
		{
			name:       "a changed secret",
			credential: s3server.Credential{AccessKeyID: owner.AccessKeyID, SecretKey: "changed"},
			code:       "InvalidToken",
		},
		{name: "another credential", credential: twoAccounts[readOnlyKey], code: "InvalidToken"},
		{
			name:       "one with the session's access key ID",
			credential: s3server.Credential{AccessKeyID: *session.AccessKeyId, SecretKey: "own"},
			code:       "InvalidToken",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server, err := s3server.Start(s3server.Config{
				Buckets:     []string{bucket},
				Credentials: []s3server.Credential{tt.credential},
			})
			require.NoError(t, err)
			t.Cleanup(server.Close)

			// Use the session of the first server with the other one.
			client := s.client(func(o *s3.Options) {
				o.BaseEndpoint = &server.URL
				o.HTTPClient = server.Client()
				o.Credentials = credentials.NewStaticCredentialsProvider(
					*session.AccessKeyId,
					*session.SecretAccessKey,
					*session.SessionToken,
				)
			})

			_, err = client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
			if tt.code == "" {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, 400, tt.code)
		})
	}
}

// AssumeRole refuses these requests.
func TestAssumeRoleRefuses(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	transport := newSession(t, s, ownerKey, "")
	temporary := s3server.Credential{
		AccessKeyID:  *transport.AccessKeyId,
		SecretKey:    *transport.SecretAccessKey,
		SessionToken: *transport.SessionToken,
	}

	tests := []struct {
		name   string
		key    s3server.Credential
		change func(in *sts.AssumeRoleInput)
		status int
		code   string
	}{
		{
			name:   "a session",
			key:    temporary,
			change: func(*sts.AssumeRoleInput) {},
			status: 403,
			code:   "AccessDenied",
		},
		{
			name:   "an unknown key",
			key:    s3server.Credential{AccessKeyID: "AKIANONE", SecretKey: "x"},
			change: func(*sts.AssumeRoleInput) {},
			status: 403,
			code:   "InvalidClientTokenId",
		},
		{
			name:   "a wrong secret",
			key:    s3server.Credential{AccessKeyID: twoAccounts[0].AccessKeyID, SecretKey: "x"},
			change: func(*sts.AssumeRoleInput) {},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		{
			name: "a short time",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.DurationSeconds = aws.Int32(899)
			},
			status: 400,
			code:   "ValidationError",
		},
		{
			name: "a long time",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.DurationSeconds = aws.Int32(43201)
			},
			status: 400,
			code:   "ValidationError",
		},
		{
			name: "no JSON",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.Policy = aws.String("x")
			},
			status: 400,
			code:   "MalformedPolicyDocument",
		},
		{
			name: "a principal",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.Policy = aws.String(`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}`)
			},
			status: 400,
			code:   "MalformedPolicyDocument",
		},
		{
			name: "an unknown key of a condition",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.Policy = aws.String(`{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:nothing": "x"}}}}`)
			},
			status: 400,
			code:   "MalformedPolicyDocument",
		},
		{
			name: "a managed policy",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}}
			},
			status: 501,
			code:   "NotImplemented",
		},
		{
			name: "a long policy",
			key:  twoAccounts[0],
			change: func(input *sts.AssumeRoleInput) {
				input.Policy = aws.String(strings.Repeat(" ", 2049))
			},
			status: 400,
			code:   "ValidationError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := &sts.AssumeRoleInput{
				RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
				RoleSessionName: aws.String("test"),
			}
			tt.change(input)
			_, err := stsClient(s, tt.key).AssumeRole(t.Context(), input)

			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.Equal(t, tt.code, api.ErrorCode(), err)

			var response *smithyhttp.ResponseError
			require.True(t, errors.As(err, &response))
			require.Equal(t, tt.status, response.HTTPStatusCode())
		})
	}

	response, body := s.send(t, "POST", s.server.URL+"/?Action=AssumeRole&Version=2011-06-15", nil,
		http.Header{})
	require.Equal(t, 403, response.StatusCode)
	require.Contains(t, body, "<Code>MissingAuthenticationToken</Code>")
}

// AssumeRole returns temporary credentials in AWS's form, which expire after the requested time.
func TestAssumeRoleResponse(t *testing.T) {
	clk := &clock{}
	s := startServer(t, s3server.Config{Now: clk.now})
	output, err := stsClient(s, twoAccounts[0]).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
		DurationSeconds: aws.Int32(900),
		Policy:          aws.String(allowPolicy("s3:GetObject", inFolder)),
	})
	require.NoError(t, err)

	require.WithinDuration(t, clk.now().Add(15*time.Minute), *output.Credentials.Expiration, 10*time.Second)
	require.True(t, strings.HasPrefix(*output.Credentials.AccessKeyId, "ASIA"))
	require.Len(t, *output.Credentials.SecretAccessKey, 40)
}
