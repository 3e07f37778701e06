package s3server_test

import (
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

// A version under retention cannot be deleted until the retention ends. In governance mode, a
// request can also bypass the retention. A delete marker can be added.
func TestRetentionKeepsVersion(t *testing.T) {
	const withBypass = true
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
			requireFailure(t, remove(!withBypass), 403, "AccessDenied")
			output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket: aws.String(locking),
				Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key, VersionId: version}}},
			})
			require.NoError(t, err)
			require.Equal(t, "Access Denied because object protected by object lock.", *output.Errors[0].Message)

			// A request without a version adds a delete marker. The version and its retention stay.
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
				require.NoError(t, remove(withBypass))
				return
			}
			requireFailure(t, remove(withBypass), 403, "AccessDenied")

			// Retention in compliance mode ends only after its ten minutes.
			s.clock.move(11 * time.Minute)
			require.NoError(t, remove(!withBypass), "the retention has passed")
		})
	}
}

// A strict server refuses the header to bypass governance in a bucket without object lock. A lenient server ignores the
// header, because programs send it to any server.
func TestBypassNeedsObjectLock(t *testing.T) {
	tests := []struct {
		name        string
		strict      bool
		bypass      bool // the value of the header
		wantRefused bool
	}{
		{name: "lenient, no bypass", strict: false, bypass: false},
		{name: "lenient, bypass", strict: false, bypass: true},
		{name: "strict, no bypass", strict: true, bypass: false, wantRefused: true},
		{name: "strict, bypass", strict: true, bypass: true, wantRefused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, s3server.Config{Strict: tt.strict})
			s.put(t, "k", "content")

			_, deleteErr := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
				Bucket:                    aws.String(bucket),
				Key:                       aws.String("k"),
				BypassGovernanceRetention: &tt.bypass,
			})
			_, batchErr := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket:                    aws.String(bucket),
				BypassGovernanceRetention: &tt.bypass,
				Delete:                    &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
			})

			if !tt.wantRefused {
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

// A retention can always be extended. It can be shortened, changed or removed only if it is in
// governance mode and the request bypasses it.
func TestRetentionCanBeExtended(t *testing.T) {
	s := startLocking(t)

	// The retention of putLocked ends in ten minutes.
	shorter := s.clock.now().Add(time.Minute)
	longer := s.clock.now().Add(2 * time.Hour)
	tests := []struct {
		name        string
		oldMode     types.ObjectLockMode
		newMode     types.ObjectLockMode // "" removes the retention
		newDate     time.Time
		bypass      bool
		wantAllowed bool
	}{
		{name: "longer", oldMode: "GOVERNANCE", newMode: "GOVERNANCE", newDate: longer, wantAllowed: true},
		{name: "shorter", oldMode: "GOVERNANCE", newMode: "GOVERNANCE", newDate: shorter},
		{
			name:        "shorter, with bypass",
			oldMode:     "GOVERNANCE",
			newMode:     "GOVERNANCE",
			newDate:     shorter,
			bypass:      true,
			wantAllowed: true,
		},
		{name: "removed", oldMode: "GOVERNANCE"},
		{name: "removed, with bypass", oldMode: "GOVERNANCE", bypass: true, wantAllowed: true},
		{name: "stronger mode", oldMode: "GOVERNANCE", newMode: "COMPLIANCE", newDate: longer},
		{name: "longer compliance", oldMode: "COMPLIANCE", newMode: "COMPLIANCE", newDate: longer, wantAllowed: true},
		{
			name:    "shorter compliance, with bypass",
			oldMode: "COMPLIANCE",
			newMode: "COMPLIANCE",
			newDate: shorter,
			bypass:  true,
		},
		{name: "weaker mode, with bypass", oldMode: "COMPLIANCE", newMode: "GOVERNANCE", newDate: longer, bypass: true},
		{name: "removed compliance, with bypass", oldMode: "COMPLIANCE", bypass: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.putLocked(t, tt.name, tt.oldMode)
			retention := &types.ObjectLockRetention{}
			if tt.newMode != "" {
				retention.Mode = types.ObjectLockRetentionMode(tt.newMode)
				retention.RetainUntilDate = &tt.newDate
			}

			_, err := s.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
				Bucket:                    aws.String(locking),
				Key:                       &tt.name,
				BypassGovernanceRetention: &tt.bypass,
				Retention:                 retention,
			})
			if tt.wantAllowed {
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

	// A version with a hold cannot be removed, even if the request bypasses governance.
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

// PutObject refuses invalid headers of object lock. In a bucket without object lock, it refuses all
// of these headers.
func TestLocksRefused(t *testing.T) {
	const (
		checksum = "X-Amz-Checksum-Crc32"
		crcOfX   = "jNxWvA==" // the checksum of the content "x"
		mode     = "X-Amz-Object-Lock-Mode"
		date     = "X-Amz-Object-Lock-Retain-Until-Date"
		hold     = "X-Amz-Object-Lock-Legal-Hold"
	)
	s := startLocking(t)
	nextHour := s.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)
	tests := []struct {
		name     string
		path     string
		header   map[string]string
		wantCode string
	}{
		{
			name:     "mode in a bucket without object lock",
			path:     "/photos/new",
			header:   map[string]string{checksum: crcOfX, mode: "GOVERNANCE", date: nextHour},
			wantCode: "InvalidRequest",
		},
		{
			name:     "hold in a bucket without object lock",
			path:     "/photos/new",
			header:   map[string]string{checksum: crcOfX, hold: "OFF"},
			wantCode: "InvalidRequest",
		},
		{
			name:     "mode without a date",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, mode: "GOVERNANCE"},
			wantCode: "InvalidArgument",
		},
		{
			name:     "date without a mode",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, date: nextHour},
			wantCode: "InvalidArgument",
		},
		{
			name:     "unknown mode",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, mode: "FOREVER", date: nextHour},
			wantCode: "InvalidArgument",
		},
		{
			name:     "date in the past",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, mode: "GOVERNANCE", date: "2020-01-01T00:00:00Z"},
			wantCode: "InvalidArgument",
		},
		{
			name:     "invalid date",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, mode: "GOVERNANCE", date: "tomorrow"},
			wantCode: "InvalidArgument",
		},
		{
			name:     "unknown hold",
			path:     "/locking/new",
			header:   map[string]string{checksum: crcOfX, hold: "YES"},
			wantCode: "InvalidArgument",
		},
		{
			name:     "checksum missing",
			path:     "/locking/new",
			header:   map[string]string{hold: "ON"},
			wantCode: "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "PUT", tt.path, "x", tt.header)
			require.Equal(t, 400, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
		})
	}
	require.Empty(t, s.keys(t))
}

// A bucket without object lock has no holds and no lock configuration. Object lock cannot be enabled without versions.
func TestLocksOfBucketWithoutLocks(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "x")

	_, err := s.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("k"),
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
	})
	requireFailure(t, err, 400, "InvalidRequest")
	_, err = s.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
		Bucket: aws.String(bucket),
	})
	requireFailure(t, err, 404, "ObjectLockConfigurationNotFoundError")
	_, err = s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket:                  aws.String(bucket),
		ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled},
	})
	requireFailure(t, err, 409, "InvalidBucketState")
}

// The versioning of a bucket with object lock cannot be suspended.
func TestLocksNeedVersioning(t *testing.T) {
	s := startLocking(t)
	_, err := s.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(locking),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	requireFailure(t, err, 409, "InvalidBucketState")
}

// A default retention must have either a number of days or a number of years. It must be between
// one day and a hundred years.
func TestDefaultRetentionRefused(t *testing.T) {
	const maxDays, maxYears = 36500, 100
	s := startLocking(t)
	tests := []struct {
		name     string
		period   types.DefaultRetention
		wantCode string
	}{
		{name: "no days", period: types.DefaultRetention{Days: aws.Int32(0)}, wantCode: "InvalidArgument"},
		{
			name:     "too many days",
			period:   types.DefaultRetention{Days: aws.Int32(maxDays + 1)},
			wantCode: "InvalidArgument",
		},
		{
			name:     "too many years",
			period:   types.DefaultRetention{Years: aws.Int32(maxYears + 1)},
			wantCode: "InvalidArgument",
		},
		{
			name:     "highest number of days",
			period:   types.DefaultRetention{Days: aws.Int32(math.MaxInt32)},
			wantCode: "InvalidArgument",
		},
		{
			name:     "days and years",
			period:   types.DefaultRetention{Days: aws.Int32(math.MaxInt32), Years: aws.Int32(1)},
			wantCode: "MalformedXML",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			retention := tt.period
			retention.Mode = types.ObjectLockRetentionModeGovernance
			_, err := s.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
				Bucket: aws.String(locking),
				ObjectLockConfiguration: &types.ObjectLockConfiguration{
					ObjectLockEnabled: types.ObjectLockEnabledEnabled,
					Rule:              &types.ObjectLockRule{DefaultRetention: &retention},
				},
			})
			requireFailure(t, err, 400, tt.wantCode)
		})
	}
}

// The default retention of a bucket locks each new object. A request that stores one must then
// carry a checksum.
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
