package s3server_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const locking = "locking"

// startLocking starts a server that has a bucket with object lock in addition to the usual bucket.
func startLocking(t *testing.T) *store {
	t.Helper()
	s := startServer(t, s3server.Config{})
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                     aws.String(locking),
		ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)
	return s
}

// putLocked stores an object under retention for ten minutes, and returns its version.
func (s *store) putLocked(t *testing.T, key string, mode types.ObjectLockMode) *string {
	t.Helper()
	output, err := s.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket:                    aws.String(locking),
		Key:                       &key,
		Body:                      strings.NewReader("x"),
		ChecksumAlgorithm:         types.ChecksumAlgorithmCrc32,
		ObjectLockMode:            mode,
		ObjectLockRetainUntilDate: aws.Time(s.clock.now().Add(10 * time.Minute)),
	})
	require.NoError(t, err)
	return output.VersionId
}

// A version under retention cannot be deleted until the retention ends or, in governance mode, is bypassed. A delete
// marker can be added.
func TestRetentionKeepsVersion(t *testing.T) {
	s := startLocking(t)
	for _, mode := range []types.ObjectLockMode{types.ObjectLockModeGovernance, types.ObjectLockModeCompliance} {
		t.Run(string(mode), func(t *testing.T) {
			key := string(mode)
			version := s.putLocked(t, key, mode)
			remove := func(bypass bool) error {
				_, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
					Bucket:                    aws.String(locking),
					Key:                       &key,
					VersionId:                 version,
					BypassGovernanceRetention: &bypass,
				})
				return err
			}

			// Neither DeleteObject nor DeleteObjects removes the version.
			requireFailure(t, remove(false), 403, "AccessDenied")
			output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket: aws.String(locking),
				Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key, VersionId: version}}},
			})
			require.NoError(t, err)
			require.Equal(t, "Access Denied because object protected by object lock.", *output.Errors[0].Message)

			// A delete marker leaves the version and its retention.
			_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(locking), Key: &key})
			require.NoError(t, err)
			head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
				Bucket:    aws.String(locking),
				Key:       &key,
				VersionId: version,
			})
			require.NoError(t, err)
			require.Equal(t, mode, head.ObjectLockMode)

			got, err := s.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{
				Bucket:    aws.String(locking),
				Key:       &key,
				VersionId: version,
			})
			require.NoError(t, err)
			require.Equal(t, *head.ObjectLockRetainUntilDate, *got.Retention.RetainUntilDate)

			// Only governance mode can be bypassed.
			if mode == types.ObjectLockModeGovernance {
				require.NoError(t, remove(true))
				return
			}
			requireFailure(t, remove(true), 403, "AccessDenied")

			// Compliance mode ends only with its time, which is ten minutes.
			s.clock.move(11 * time.Minute)
			require.NoError(t, remove(false), "the retention has passed")
		})
	}
}

// In a bucket without object lock, only a strict server refuses the header to bypass governance, because programs send
// it to any server.
func TestBypassNeedsObjectLock(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, bypass := range []bool{false, true} {
			t.Run(fmt.Sprintf("strict %t, bypass %t", strict, bypass), func(t *testing.T) {
				s := open(t, s3server.Config{Strict: strict})
				s.put(t, "k", "content")

				_, deleteErr := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
					Bucket:                    aws.String(bucket),
					Key:                       aws.String("k"),
					BypassGovernanceRetention: &bypass,
				})

				_, batchErr := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
					Bucket:                    aws.String(bucket),
					BypassGovernanceRetention: &bypass,
					Delete:                    &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
				})

				// A lenient server ignores the header.
				if !strict {
					require.NoError(t, deleteErr)
					require.NoError(t, batchErr)
					return
				}
				requireFailure(t, deleteErr, 400, "InvalidArgument")
				requireFailure(t, batchErr, 400, "InvalidArgument")
				require.Equal(t, "content", s.get(t, "k"))
			})
		}
	}
}

// A retention can be extended.
func TestRetentionCanBeExtended(t *testing.T) {
	s := startLocking(t)
	hours := func(n int) *time.Time { return aws.Time(s.clock.now().Add(time.Duration(n) * time.Hour)) }
	tests := []struct {
		name     string
		from, to types.ObjectLockMode
		until    *time.Time
		bypass   bool
		allowed  bool
	}{
		{name: "longer", from: "GOVERNANCE", to: "GOVERNANCE", until: hours(2), allowed: true},
		{
			name:  "shorter",
			from:  "GOVERNANCE",
			to:    "GOVERNANCE",
			until: aws.Time(s.clock.now().Add(time.Minute)),
		},
		{
			name:    "shorter, with a bypass",
			from:    "GOVERNANCE",
			to:      "GOVERNANCE",
			until:   aws.Time(s.clock.now().Add(time.Minute)),
			bypass:  true,
			allowed: true,
		},
		{name: "none", from: "GOVERNANCE"},
		{name: "none, with a bypass", from: "GOVERNANCE", bypass: true, allowed: true},
		{name: "stronger", from: "GOVERNANCE", to: "COMPLIANCE", until: hours(2)},
		{
			name:    "longer compliance",
			from:    "COMPLIANCE",
			to:      "COMPLIANCE",
			until:   hours(2),
			allowed: true,
		},
		{
			name:   "shorter compliance, with a bypass",
			from:   "COMPLIANCE",
			to:     "COMPLIANCE",
			until:  aws.Time(s.clock.now().Add(time.Minute)),
			bypass: true,
		},
		{
			name:   "weaker than compliance, with bypass",
			from:   "COMPLIANCE",
			to:     "GOVERNANCE",
			until:  hours(2),
			bypass: true,
		},
		{name: "no compliance, with a bypass", from: "COMPLIANCE", bypass: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.putLocked(t, tt.name, tt.from)
			_, err := s.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
				Bucket:                    aws.String(locking),
				Key:                       &tt.name,
				BypassGovernanceRetention: &tt.bypass,
				Retention: &types.ObjectLockRetention{
					Mode:            types.ObjectLockRetentionMode(tt.to),
					RetainUntilDate: tt.until,
				},
			})
			if tt.allowed {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, 403, "AccessDenied")
		})
	}
}

// A version with a legal hold cannot be deleted until the hold is removed.
func TestLegalHoldKeepsVersion(t *testing.T) {
	s := startLocking(t)
	output, err := s.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket:                    aws.String(locking),
		Key:                       aws.String("k"),
		Body:                      strings.NewReader("x"),
		ChecksumAlgorithm:         types.ChecksumAlgorithmCrc32,
		ObjectLockLegalHoldStatus: types.ObjectLockLegalHoldStatusOn,
	})
	require.NoError(t, err)
	remove := &s3.DeleteObjectInput{
		Bucket:                    aws.String(locking),
		Key:                       aws.String("k"),
		VersionId:                 output.VersionId,
		BypassGovernanceRetention: aws.Bool(true),
	}

	// Even the bypass of governance does not remove a held version.
	_, err = s.DeleteObject(t.Context(), remove)
	requireFailure(t, err, 403, "AccessDenied")

	hold, err := s.GetObjectLegalHold(t.Context(), &s3.GetObjectLegalHoldInput{
		Bucket: aws.String(locking),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, types.ObjectLockLegalHoldStatusOn, hold.LegalHold.Status)

	// Without the hold, the version can be removed.
	_, err = s.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
		Bucket:    aws.String(locking),
		Key:       aws.String("k"),
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff},
	})
	require.NoError(t, err)
	_, err = s.DeleteObject(t.Context(), remove)
	require.NoError(t, err)

	_, err = s.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{
		Bucket: aws.String(locking),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 404, "NoSuchKey")
}

// The server refuses these lock settings.
func TestLocksRefused(t *testing.T) {
	s := startLocking(t)
	s.put(t, "k", "x")
	s.putLocked(t, "k", types.ObjectLockModeGovernance)
	deadline := s.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)
	crc := map[string]string{"X-Amz-Checksum-Crc32": "jNxWvA=="}
	lockHeader := func(header ...string) map[string]string {
		all := map[string]string{}
		for name, value := range crc {
			all[name] = value
		}
		for i := 0; i < len(header); i += 2 {
			all[header[i]] = header[i+1]
		}
		return all
	}
	const mode, date, hold = "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold"

	tests := []struct {
		name   string
		path   string
		header map[string]string
		code   string
	}{
		{
			name:   "a bucket without lock",
			path:   "/photos/new",
			header: lockHeader(mode, "GOVERNANCE", date, deadline),
			code:   "InvalidRequest",
		},
		{
			name:   "a hold in one",
			path:   "/photos/new",
			header: lockHeader(hold, "OFF"),
			code:   "InvalidRequest",
		},
		{
			name:   "a mode without a date",
			path:   "/locking/new",
			header: lockHeader(mode, "GOVERNANCE"),
			code:   "InvalidArgument",
		},
		{
			name:   "a date without a mode",
			path:   "/locking/new",
			header: lockHeader(date, deadline),
			code:   "InvalidArgument",
		},
		{
			name:   "another mode",
			path:   "/locking/new",
			header: lockHeader(mode, "FOREVER", date, deadline),
			code:   "InvalidArgument",
		},
		{
			name:   "a date that has passed",
			path:   "/locking/new",
			header: lockHeader(mode, "GOVERNANCE", date, "2020-01-01T00:00:00Z"),
			code:   "InvalidArgument",
		},
		{
			name:   "another date",
			path:   "/locking/new",
			header: lockHeader(mode, "GOVERNANCE", date, "tomorrow"),
			code:   "InvalidArgument",
		},
		{
			name:   "another hold",
			path:   "/locking/new",
			header: lockHeader(hold, "YES"),
			code:   "InvalidArgument",
		},
		{
			name:   "a body that nothing vouches for",
			path:   "/locking/new",
			header: map[string]string{hold: "ON"},
			code:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "PUT", tt.path, "x", tt.header)
			require.Equal(t, 400, response.StatusCode, body)
			require.Equal(t, tt.code, parseError(t, body).Code, body)
		})
	}
	require.Equal(t, []string{"k"}, s.keys(t))

	bucketName := aws.String("photos")
	_, err := s.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
		Bucket:    bucketName,
		Key:       aws.String("k"),
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
	})
	requireFailure(t, err, 400, "InvalidRequest")

	_, err = s.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
		Bucket: bucketName,
	})
	requireFailure(t, err, 404, "ObjectLockConfigurationNotFoundError")
	enable := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	_, err = s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket:                  bucketName,
		ObjectLockConfiguration: enable,
	})
	requireFailure(t, err, 409, "InvalidBucketState")

	_, err = s.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(locking),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	requireFailure(t, err, 409, "InvalidBucketState")

	for _, period := range []types.DefaultRetention{{Days: aws.Int32(0)}, {Days: aws.Int32(36501)}, {Years: aws.Int32(101)}, {Days: aws.Int32(math.MaxInt32)}} {
		period.Mode = types.ObjectLockRetentionModeGovernance
		enable.Rule = &types.ObjectLockRule{DefaultRetention: &period}
		_, err = s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
			Bucket:                  aws.String(locking),
			ObjectLockConfiguration: enable,
		})
		requireFailure(t, err, 400, "InvalidArgument")
	}

	enable.Rule.DefaultRetention.Years = aws.Int32(1)
	_, err = s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket:                  aws.String(locking),
		ObjectLockConfiguration: enable,
	})
	requireFailure(t, err, 400, "MalformedXML")
}

// The default retention of a bucket locks its new objects, which must have a checksum.
func TestDefaultRetentionLocksNewObjects(t *testing.T) {
	s := startLocking(t)
	oneYear := &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled,
		Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{
			Mode:  types.ObjectLockRetentionModeCompliance,
			Years: aws.Int32(1),
		}},
	}

	// Set the default, and read it.
	_, err := s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket:                  aws.String(locking),
		ObjectLockConfiguration: oneYear,
	})
	require.NoError(t, err)
	got, err := s.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
		Bucket: aws.String(locking),
	})
	require.NoError(t, err)
	require.Equal(t, oneYear.Rule, got.ObjectLockConfiguration.Rule)

	// A new object is locked for at least a year, even if the store rounds to whole seconds.
	earliest := s.clock.now().AddDate(1, 0, 0).Truncate(time.Millisecond)
	_, err = s.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket:            aws.String(locking),
		Key:               aws.String("k"),
		Body:              strings.NewReader("x"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	require.NoError(t, err)
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(locking),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, types.ObjectLockModeCompliance, head.ObjectLockMode)
	require.WithinDuration(t, s.clock.now().AddDate(1, 0, 0), *head.ObjectLockRetainUntilDate, time.Minute)
	require.False(t, head.ObjectLockRetainUntilDate.Before(earliest))

	// An object without a checksum cannot be locked.
	_, body := s.sendSigned(t, "PUT", "/locking/l", "x", nil)
	require.Equal(t, "InvalidRequest", parseError(t, body).Code, body)
}

// CreateBucket accepts "True" in the header for object lock, as boto3 sends it.
func TestLocksTakeTrueOfBoto3(t *testing.T) {
	s := startServer(t, s3server.Config{})
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(locking)}, func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions,
			smithyhttp.SetHeaderValue("X-Amz-Bucket-Object-Lock-Enabled", "True"))
	})
	require.NoError(t, err)
	s.putLocked(t, "k", types.ObjectLockModeGovernance)
}

// In a bucket without object lock, requests for the retention or the legal hold of an object fail.
func TestRetentionOfBucketWithoutLocks(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")

	_, err := s.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 400, "InvalidRequest")
	_, err = s.GetObjectLegalHold(t.Context(), &s3.GetObjectLegalHoldInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 400, "InvalidRequest")
}
