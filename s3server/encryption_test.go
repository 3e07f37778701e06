package s3server_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// A customerKey has the three headers of a customer-provided key (SSE-C). The zero customerKey stands for no key.
type customerKey struct{ algorithm, key, md5 *string }

// newCustomerKey returns a key of 32 equal bytes.
func newCustomerKey(c byte) customerKey {
	raw := bytes.Repeat([]byte{c}, 32)
	sum := md5.Sum(raw)
	return customerKey{
		algorithm: aws.String("AES256"),
		key:       aws.String(base64.StdEncoding.EncodeToString(raw)),
		md5:       aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}
}

// put returns the input that stores the object with the key.
func (k customerKey) put(content string) *s3.PutObjectInput {
	input := putInput("k", content)
	input.SSECustomerAlgorithm = k.algorithm
	input.SSECustomerKey = k.key
	input.SSECustomerKeyMD5 = k.md5
	return input
}

// get returns the input that reads the object with the key.
func (k customerKey) get() *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket:               aws.String(bucket),
		Key:                  aws.String("k"),
		SSECustomerAlgorithm: k.algorithm,
		SSECustomerKey:       k.key,
		SSECustomerKeyMD5:    k.md5,
	}
}

// head returns the input that reads the attributes of the object with the key.
func (k customerKey) head() *s3.HeadObjectInput {
	return &s3.HeadObjectInput{
		Bucket:               aws.String(bucket),
		Key:                  aws.String("k"),
		SSECustomerAlgorithm: k.algorithm,
		SSECustomerKey:       k.key,
		SSECustomerKeyMD5:    k.md5,
	}
}

// An object that was stored with a customer-provided key can be read only with that key.
func TestEncryptionByCustomerKey(t *testing.T) {
	const helloMD5 = `"5d41402abc4b2a76b9719d911017c592"`
	s := startTLS(t, s3server.Config{})
	key := newCustomerKey('a')
	otherKey := newCustomerKey('b')
	noKey := customerKey{}

	// The entity tag of an encrypted object is not the MD5 of its content.
	put, err := s.PutObject(t.Context(), key.put("hello"))
	require.NoError(t, err)
	require.Equal(t, *key.md5, *put.SSECustomerKeyMD5)
	require.NotEqual(t, helloMD5, *put.ETag)

	// The key reads the object.
	get, err := s.GetObject(t.Context(), key.get())
	require.NoError(t, err)
	require.Equal(t, "hello", readBody(t, get.Body))
	require.Equal(t, "AES256", *get.SSECustomerAlgorithm)
	require.Empty(t, get.ServerSideEncryption)
	_, err = s.HeadObject(t.Context(), key.head())
	require.NoError(t, err)

	// Without the key, or with another key, the object cannot be read.
	_, err = s.GetObject(t.Context(), noKey.get())
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")
	_, err = s.HeadObject(t.Context(), noKey.head())
	requireFailure(t, err, http.StatusBadRequest, "BadRequest")
	_, err = s.GetObject(t.Context(), otherKey.get())
	requireFailure(t, err, http.StatusForbidden, "AccessDenied")
	_, err = s.HeadObject(t.Context(), otherKey.head())
	requireFailure(t, err, http.StatusForbidden, "Forbidden")

	// Without the key of the source, a copy fails.
	copyObject := &s3.CopyObjectInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("copy"),
		CopySource: aws.String(bucket + "/k"),
	}
	_, err = s.CopyObject(t.Context(), copyObject)
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")

	// With the source's key, the copy succeeds, but the new object is not encrypted with that key.
	copyObject.CopySourceSSECustomerAlgorithm = key.algorithm
	copyObject.CopySourceSSECustomerKey = key.key
	copyObject.CopySourceSSECustomerKeyMD5 = key.md5
	output, err := s.CopyObject(t.Context(), copyObject)
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAes256, output.ServerSideEncryption)
	require.Equal(t, "hello", s.get(t, "copy"))
	require.Equal(t, helloMD5, *output.CopyObjectResult.ETag)

	// An object that was stored without a key cannot be read with one.
	_, err = s.PutObject(t.Context(), putInput("k", "plain"))
	require.NoError(t, err)
	_, err = s.GetObject(t.Context(), key.get())
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")
}

// PutObject refuses a customer-provided key that is incomplete or invalid, or that is sent without TLS.
func TestEncryptionCustomerKeysRefused(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	plainServer := startServer(t, s3server.Config{})
	good := newCustomerKey('a')
	other := newCustomerKey('b')
	short := base64.StdEncoding.EncodeToString([]byte("short"))

	tests := []struct {
		name       string
		store      *store
		key        customerKey
		wantStatus int
		wantCode   string
	}{
		{
			name:       "MD5 of another key",
			store:      s,
			key:        customerKey{algorithm: good.algorithm, key: good.key, md5: other.md5},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "MD5 missing",
			store:      s,
			key:        customerKey{algorithm: good.algorithm, key: good.key, md5: nil},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "algorithm missing",
			store:      s,
			key:        customerKey{algorithm: nil, key: good.key, md5: good.md5},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "key missing",
			store:      s,
			key:        customerKey{algorithm: good.algorithm, key: nil, md5: good.md5},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "unknown algorithm",
			store:      s,
			key:        customerKey{algorithm: aws.String("DES"), key: good.key, md5: good.md5},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidEncryptionAlgorithmError",
		},
		{
			name:       "key too short",
			store:      s,
			key:        customerKey{algorithm: good.algorithm, key: &short, md5: good.md5},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "connection without TLS",
			store:      plainServer,
			key:        good,
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.store.PutObject(t.Context(), tt.key.put("x"))
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Empty(t, tt.store.keys(t))
		})
	}

	// An object cannot be encrypted with both a customer-provided key and KMS.
	both := good.put("x")
	both.ServerSideEncryption = types.ServerSideEncryptionAwsKms
	_, err := s.PutObject(t.Context(), both)
	requireFailure(t, err, http.StatusBadRequest, "InvalidArgument")
}

// Each part must be sent with the customer-provided key of its upload.
func TestEncryptionOfParts(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	key := newCustomerKey('a')
	other := newCustomerKey('b')
	noKey := customerKey{}

	// The upload begins with key.
	created, err := s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket:               aws.String(bucket),
		Key:                  aws.String("k"),
		ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32c,
		SSECustomerAlgorithm: key.algorithm,
		SSECustomerKey:       key.key,
		SSECustomerKeyMD5:    key.md5,
	})
	require.NoError(t, err)
	require.Equal(t, *key.md5, *created.SSECustomerKeyMD5)

	uploadPart := func(k customerKey) (*s3.UploadPartOutput, error) {
		return s.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket:               aws.String(bucket),
			Key:                  aws.String("k"),
			UploadId:             created.UploadId,
			PartNumber:           aws.Int32(1),
			Body:                 strings.NewReader("hello"),
			ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32c,
			SSECustomerAlgorithm: k.algorithm,
			SSECustomerKey:       k.key,
			SSECustomerKeyMD5:    k.md5,
		})
	}

	// A part needs the key of the upload.
	_, err = uploadPart(noKey)
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")
	_, err = uploadPart(other)
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")
	part, err := uploadPart(key)
	require.NoError(t, err)

	// A listing of the parts needs no key, but fails with another key than that of the upload.
	listParts := func(k customerKey) error {
		_, err := s.ListParts(t.Context(), &s3.ListPartsInput{
			Bucket:               aws.String(bucket),
			Key:                  aws.String("k"),
			UploadId:             created.UploadId,
			SSECustomerAlgorithm: k.algorithm,
			SSECustomerKey:       k.key,
			SSECustomerKeyMD5:    k.md5,
		})
		return err
	}
	require.NoError(t, listParts(key))
	require.NoError(t, listParts(noKey))
	requireFailure(t, listParts(other), http.StatusBadRequest, "InvalidRequest")

	// The completion needs the key, too.
	complete := func(k customerKey) error {
		_, err := s.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket:   aws.String(bucket),
			Key:      aws.String("k"),
			UploadId: created.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
				PartNumber:     aws.Int32(1),
				ETag:           part.ETag,
				ChecksumCRC32C: part.ChecksumCRC32C,
			}}},
			SSECustomerAlgorithm: k.algorithm,
			SSECustomerKey:       k.key,
			SSECustomerKeyMD5:    k.md5,
		})
		return err
	}
	requireFailure(t, complete(noKey), http.StatusBadRequest, "InvalidRequest")
	require.NoError(t, complete(key))

	// The object is read with the key.
	got, err := s.GetObject(t.Context(), key.get())
	require.NoError(t, err)
	require.Equal(t, "hello", readBody(t, got.Body))
}

// An object may be encrypted with a key that the configuration names. Other keys and incomplete requests are
// refused.
func TestEncryptionByKMS(t *testing.T) {
	const (
		arn      = "arn:aws:kms:us-east-1:123456789012:key/1"
		context  = "eyJhIjoiYiJ9" // {"a":"b"} in Base64
		helloMD5 = `"5d41402abc4b2a76b9719d911017c592"`
	)
	s := startServer(t, s3server.Config{KMSKeys: []string{arn}})

	t.Run("known key", func(t *testing.T) {
		input := putInput("k", "hello")
		input.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		input.SSEKMSKeyId = aws.String(arn)
		input.BucketKeyEnabled = aws.Bool(true)
		input.SSEKMSEncryptionContext = aws.String(context)
		put, err := s.PutObject(t.Context(), input)
		require.NoError(t, err)
		require.Equal(t, arn, *put.SSEKMSKeyId)
		require.NotEqual(t, helloMD5, *put.ETag)

		head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		require.NoError(t, err)
		require.Equal(t, types.ServerSideEncryptionAwsKms, head.ServerSideEncryption)
		require.Equal(t, arn, *head.SSEKMSKeyId)
		require.True(t, *head.BucketKeyEnabled)
	})

	refused := []struct {
		name      string
		algorithm types.ServerSideEncryption
		keyID     *string
		context   *string
		wantCode  string
	}{
		{
			name:      "unknown key",
			algorithm: types.ServerSideEncryptionAwsKms,
			keyID:     aws.String("other"),
			wantCode:  "KMS.NotFoundException",
		},
		{
			name:      "context is not Base64",
			algorithm: types.ServerSideEncryptionAwsKms,
			context:   aws.String("{}"),
			wantCode:  "InvalidArgument",
		},
		{name: "key without algorithm", keyID: aws.String(arn), wantCode: "InvalidArgument"},
		{name: "unknown algorithm", algorithm: "rot13", wantCode: "InvalidEncryptionAlgorithmError"},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			input := putInput("k", "hello")
			input.ServerSideEncryption = tt.algorithm
			input.SSEKMSKeyId = tt.keyID
			input.SSEKMSEncryptionContext = tt.context
			_, err := s.PutObject(t.Context(), input)
			requireFailure(t, err, http.StatusBadRequest, tt.wantCode)
		})
	}

	t.Run("default", func(t *testing.T) {
		output, err := s.PutObject(t.Context(), putInput("plain", "hello"))
		require.NoError(t, err)
		require.Equal(t, types.ServerSideEncryptionAes256, output.ServerSideEncryption)
	})
}

// A request succeeds only if its ExpectedBucketOwner is the owner of the bucket.
func TestExpectedOwnerIsOther(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("k", "x")

	input.ExpectedBucketOwner = aws.String(otherAccount)
	_, err := s.PutObject(t.Context(), input)
	requireFailure(t, err, http.StatusForbidden, "AccessDenied")

	input.ExpectedBucketOwner = aws.String(s3server.DefaultAccountID)
	_, err = s.PutObject(t.Context(), input)
	require.NoError(t, err)
}

// A copy of an object onto itself can remove its encryption with a customer-provided key.
func TestEncryptionOfCopyOntoItself(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	key := newCustomerKey('a')
	_, err := s.PutObject(t.Context(), key.put("hello"))
	require.NoError(t, err)

	_, err = s.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket:                         aws.String(bucket),
		Key:                            aws.String("k"),
		CopySource:                     aws.String(bucket + "/k"),
		CopySourceSSECustomerAlgorithm: key.algorithm,
		CopySourceSSECustomerKey:       key.key,
		CopySourceSSECustomerKeyMD5:    key.md5,
	})

	require.NoError(t, err)
	require.Equal(t, "hello", s.get(t, "k"))
}

// Without Config.Strict, UploadPart may repeat the encryption algorithm of its upload, but not name another one.
func TestLenientTakesAlgorithmWithParts(t *testing.T) {
	tests := []struct {
		name         string
		strict       bool
		algorithm    string
		wantAccepted bool
	}{
		{name: "lenient, same algorithm", strict: false, algorithm: "AES256", wantAccepted: true},
		{name: "lenient, other algorithm", strict: false, algorithm: "aws:kms", wantAccepted: false},
		{name: "strict", strict: true, algorithm: "AES256", wantAccepted: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, s3server.Config{Strict: tt.strict})
			upload := s.beginUpload(t, "k")

			// The input of UploadPart in the SDK has no field for this header.
			setAlgorithm := func(o *s3.Options) {
				o.APIOptions = append(o.APIOptions,
					smithyhttp.SetHeaderValue("X-Amz-Server-Side-Encryption", tt.algorithm))
			}

			_, err := s.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket:     aws.String(bucket),
				Key:        aws.String("k"),
				UploadId:   &upload,
				PartNumber: aws.Int32(1),
				Body:       strings.NewReader("hello"),
			}, setAlgorithm)

			if tt.wantAccepted {
				require.NoError(t, err)
			} else {
				requireFailure(t, err, http.StatusBadRequest, "InvalidArgument")
			}
		})
	}
}
