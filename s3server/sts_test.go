package s3server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
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

// A session may do only what both its session policy and the permissions of its caller permit.
// Without a session policy, it may do all that its caller may do.
func TestSessionRights(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "folder/k", "content")
	s.put(t, "other", "content")
	tests := []struct {
		name, policy     string
		key              int  // index in twoAccounts of the key that asks for the session
		wantReadsFolder  bool // whether the session may read folder/k
		wantWritesFolder bool // whether it may write folder/new
		wantReadsOther   bool // whether it may read the key beside the folder
	}{
		{name: "no policy", key: ownerKey, wantReadsFolder: true, wantWritesFolder: true, wantReadsOther: true},
		{name: "no policy, read-only key", key: readOnlyKey, wantReadsFolder: true, wantReadsOther: true},
		{
			name:             "policy for everything",
			policy:           allowPolicy("*", "*"),
			key:              ownerKey,
			wantReadsFolder:  true,
			wantWritesFolder: true,
			wantReadsOther:   true,
		},
		{
			name:            "policy for everything, read-only key",
			policy:          allowPolicy("s3:*", "*"),
			key:             readOnlyKey,
			wantReadsFolder: true,
			wantReadsOther:  true,
		},
		{name: "policy for everything, other account", policy: allowPolicy("s3:*", "*"), key: otherKey},
		{name: "policy for reads", policy: allowPolicy("s3:GetObject", inFolder), key: ownerKey, wantReadsFolder: true},
		{
			name:             "policy for writes",
			policy:           allowPolicy("s3:PutObject", inFolder),
			key:              ownerKey,
			wantWritesFolder: true,
		},
		{name: "policy for another bucket", policy: allowPolicy("s3:*", "arn:aws:s3:::photos2/*"), key: ownerKey},
		{name: "policy for another service", policy: allowPolicy("kms:*", "*"), key: ownerKey},
		{
			name: "policy that denies writes",
			policy: `{"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
				{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
			]}`,
			key:             ownerKey,
			wantReadsFolder: true,
			wantReadsOther:  true,
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
			requireAccess(tt.wantReadsFolder, err)
			_, err = client.PutObject(t.Context(), putInput("folder/new", "x"))
			requireAccess(tt.wantWritesFolder, err)
			_, err = client.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("other"),
			})
			requireAccess(tt.wantReadsOther, err)
		})
	}
}

// A session gets AccessDenied for everything that its own policy does not permit, even for a missing bucket.
func TestSessionPolicyBindsEverywhere(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.put(t, "other", "content")
	missing := aws.String("no-such-bucket")
	client := sessionClient(s, newSession(t, s, ownerKey, allowPolicy("s3:PutObject", inFolder)))

	// Requests for tags, for the list of buckets and for a new bucket need permissions that the
	// policy does not give.
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

// A session can sign URLs and forms, which permit only what the session's policy permits.
func TestSessionPresignedURLsAndForms(t *testing.T) {
	const folderPolicy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "` + inFolder + `"}
	]}`
	const tokenField = "X-Amz-Security-Token"
	s := startServer(t, s3server.Config{})
	s.put(t, "folder/k", "content")
	s.put(t, "other", "content")

	// The client of the session presigns URLs and forms.
	client := sessionClient(s, newSession(t, s, ownerKey, folderPolicy))
	presign := s3.NewPresignClient(client, s3.WithPresignExpires(24*time.Hour))
	presignGet := func(key string) string {
		presigned, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		return presigned.URL
	}
	presignPost := func(key string) *s3.PresignedPostRequest {
		presigned, err := presign.PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		return presigned
	}

	t.Run("URL", func(t *testing.T) {
		statusOf := func(target string) int {
			response, _ := s.send(t, "GET", target, nil, nil)
			return response.StatusCode
		}
		withoutToken, err := url.Parse(presignGet("folder/k"))
		require.NoError(t, err)
		query := withoutToken.Query()
		require.True(t, query.Has(tokenField))
		query.Del(tokenField)
		withoutToken.RawQuery = query.Encode()

		require.Equal(t, 200, statusOf(presignGet("folder/k")))
		require.Equal(t, 403, statusOf(presignGet("other")), "the policy permits only the folder")
		require.Equal(t, 403, statusOf(withoutToken.String()))
	})

	t.Run("form", func(t *testing.T) {
		statusOf := func(form *s3.PresignedPostRequest) int {
			response, _ := s.post(t, form.URL, form.Values, "posted")
			return response.StatusCode
		}
		withoutToken := presignPost("folder/form2")
		require.Contains(t, withoutToken.Values, tokenField)
		delete(withoutToken.Values, tokenField)

		require.Equal(t, 204, statusOf(presignPost("folder/form")))
		require.Equal(t, 403, statusOf(presignPost("other-form")), "the policy permits only the folder")
		require.Equal(t, 403, statusOf(withoutToken))
		require.Equal(t, []string{"folder/form", "folder/k", "other"}, s.keys(t))
	})

	t.Run("session expires before the URL", func(t *testing.T) {
		validForDay := presignGet("folder/k")

		s.clock.move(time.Hour) // the default duration of a session

		response, body := s.send(t, "GET", validForDay, nil, nil)
		require.Equal(t, 400, response.StatusCode, body)
		require.Contains(t, body, "<Code>ExpiredToken</Code>")
	})
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

// The server refuses a session whose key, secret or token was altered.
func TestSessionAltered(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "folder/k", "content")
	valid := newSession(t, s, ownerKey, allowPolicy("s3:GetObject", inFolder))
	another := newSession(t, s, readOnlyKey, "")
	content, signature, _ := strings.Cut(*valid.SessionToken, ".")

	tests := []struct {
		name       string
		change     func(c *types.Credentials)
		wantStatus int
		wantCode   string
	}{
		{
			name: "secret of another session",
			change: func(c *types.Credentials) {
				c.SecretAccessKey = another.SecretAccessKey
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "key of another session",
			change: func(c *types.Credentials) {
				c.AccessKeyId = another.AccessKeyId
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "token of another session",
			change: func(c *types.Credentials) {
				c.SessionToken = another.SessionToken
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "token missing",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String("")
			},
			wantStatus: 403,
			wantCode:   "InvalidAccessKeyId",
		},
		{
			name: "token without signature",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String(content + ".")
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "token with empty content",
			change: func(c *types.Credentials) {
				const emptyObject = "e30" // {} in Base64
				c.SessionToken = aws.String(emptyObject + "." + signature)
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "token without its policy",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String(dropPolicy(t, content) + "." + signature)
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "token of another form",
			change: func(c *types.Credentials) {
				c.SessionToken = aws.String("text")
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name: "permanent key of the caller",
			change: func(c *types.Credentials) {
				c.AccessKeyId = aws.String(twoAccounts[ownerKey].AccessKeyID)
			},
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			altered := *valid
			tt.change(&altered)

			_, err := sessionClient(s, &altered).GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("folder/k"),
			})
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
		})
	}
}

// A server accepts a session that another server has made if both have the same credential. The
// session token contains all that the server must know.
func TestSessionWorksInEachServer(t *testing.T) {
	const (
		accepted = ""
		refused  = "InvalidToken"
	)
	owner := twoAccounts[ownerKey]
	first := startServer(t, s3server.Config{Credentials: []s3server.Credential{owner}})
	session := newSession(t, first, ownerKey, "")

	tests := []struct {
		name       string
		credential s3server.Credential // of the second server
		wantCode   string              // of the second server's error
	}{
		{name: "the same credential", credential: owner, wantCode: accepted},
		{
			name:       "another secret for the same key ID",
			credential: s3server.Credential{AccessKeyID: owner.AccessKeyID, SecretKey: "changed"},
			wantCode:   refused,
		},
		{name: "another credential", credential: twoAccounts[readOnlyKey], wantCode: refused},
		{
			name:       "a credential with the session's key ID",
			credential: s3server.Credential{AccessKeyID: *session.AccessKeyId, SecretKey: "own"},
			wantCode:   refused,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second, err := s3server.Start(s3server.Config{
				Buckets:     []string{bucket},
				Credentials: []s3server.Credential{tt.credential},
			})
			require.NoError(t, err)
			t.Cleanup(second.Close)

			// Send a request to the second server with the session of the first.
			client := first.client(func(o *s3.Options) {
				o.BaseEndpoint = &second.URL
				o.HTTPClient = second.Client()
				o.Credentials = credentials.NewStaticCredentialsProvider(
					*session.AccessKeyId,
					*session.SecretAccessKey,
					*session.SessionToken,
				)
			})
			_, err = client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})

			if tt.wantCode == accepted {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, 400, tt.wantCode)
		})
	}
}

// AssumeRole fails if the request is not signed with a permanent key, or if the duration or the policy is invalid.
func TestAssumeRoleRefuses(t *testing.T) {
	const (
		minSeconds    = 900
		maxSeconds    = 43_200
		maxPolicySize = 2048
	)
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	owner := twoAccounts[ownerKey]
	session := newSession(t, s, ownerKey, "")
	temporary := s3server.Credential{
		AccessKeyID:  *session.AccessKeyId,
		SecretKey:    *session.SecretAccessKey,
		SessionToken: *session.SessionToken,
	}

	tests := []struct {
		name       string
		signer     s3server.Credential
		input      sts.AssumeRoleInput // without the role, which each request has
		wantStatus int
		wantCode   string
	}{
		{name: "signed by a session", signer: temporary, wantStatus: 403, wantCode: "AccessDenied"},
		{
			name:       "signed by an unknown key",
			signer:     s3server.Credential{AccessKeyID: "AKIANONE", SecretKey: "x"},
			wantStatus: 403,
			wantCode:   "InvalidClientTokenId",
		},
		{
			name:       "signed with a wrong secret",
			signer:     s3server.Credential{AccessKeyID: owner.AccessKeyID, SecretKey: "x"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "duration too short",
			signer:     owner,
			input:      sts.AssumeRoleInput{DurationSeconds: aws.Int32(minSeconds - 1)},
			wantStatus: 400,
			wantCode:   "ValidationError",
		},
		{
			name:       "duration too long",
			signer:     owner,
			input:      sts.AssumeRoleInput{DurationSeconds: aws.Int32(maxSeconds + 1)},
			wantStatus: 400,
			wantCode:   "ValidationError",
		},
		{
			name:       "policy is not JSON",
			signer:     owner,
			input:      sts.AssumeRoleInput{Policy: aws.String("x")},
			wantStatus: 400,
			wantCode:   "MalformedPolicyDocument",
		},
		{
			name:   "policy with a principal",
			signer: owner,
			input: sts.AssumeRoleInput{Policy: aws.String(
				`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}`)},
			wantStatus: 400,
			wantCode:   "MalformedPolicyDocument",
		},
		{
			name:   "policy with an unknown condition key",
			signer: owner,
			input: sts.AssumeRoleInput{Policy: aws.String(`{"Statement": {"Effect": "Allow", "Action": "s3:*", ` +
				`"Resource": "*", "Condition": {"StringEquals": {"s3:nothing": "x"}}}}`)},
			wantStatus: 400,
			wantCode:   "MalformedPolicyDocument",
		},
		{
			name:   "managed policy",
			signer: owner,
			input: sts.AssumeRoleInput{PolicyArns: []types.PolicyDescriptorType{
				{Arn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")},
			}},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "policy too long",
			signer:     owner,
			input:      sts.AssumeRoleInput{Policy: aws.String(strings.Repeat(" ", maxPolicySize+1))},
			wantStatus: 400,
			wantCode:   "ValidationError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := tt.input
			input.RoleArn = aws.String("arn:aws:iam::123456789012:role/any")
			input.RoleSessionName = aws.String("test")

			_, err := stsClient(s, tt.signer).AssumeRole(t.Context(), &input)

			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.Equal(t, tt.wantCode, api.ErrorCode(), err)
			var response *smithyhttp.ResponseError
			require.ErrorAs(t, err, &response)
			require.Equal(t, tt.wantStatus, response.HTTPStatusCode())
		})
	}

	t.Run("not signed", func(t *testing.T) {
		response, body := s.send(t, "POST", s.server.URL+"/?Action=AssumeRole&Version=2011-06-15", nil, nil)
		require.Equal(t, 403, response.StatusCode)
		require.Contains(t, body, "<Code>MissingAuthenticationToken</Code>")
	})
}

// AssumeRole returns temporary credentials in the form that AWS uses. They expire after the
// requested time.
func TestAssumeRoleResponse(t *testing.T) {
	const duration = 15 * time.Minute
	s := startServer(t, s3server.Config{})
	output, err := stsClient(s, twoAccounts[ownerKey]).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
		DurationSeconds: aws.Int32(int32(duration.Seconds())),
		Policy:          aws.String(allowPolicy("s3:GetObject", inFolder)),
	})
	require.NoError(t, err)

	require.WithinDuration(t, s.clock.now().Add(duration), *output.Credentials.Expiration, 10*time.Second)
	require.True(t, strings.HasPrefix(*output.Credentials.AccessKeyId, "ASIA"))
	require.Len(t, *output.Credentials.SecretAccessKey, 40)
}
