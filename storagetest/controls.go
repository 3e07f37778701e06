package storagetest

import (
	"hash/crc32"
	"maps"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// lockTime is how long the objects of a case stay locked. It is longer than any case takes.
const lockTime = time.Hour

var lockCases = []Case{
	{
		Name:        "what is under retention stays",
		Rule:        "G3",
		Explanation: "Remove of the version is Locked until the retention ends, and a new write or a Remove without a version leaves the version as it is",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime)
			for _, mode := range []storage.RetentionMode{storage.Governance, storage.Compliance} {
				key := string(mode)
				for _, content := range []string{"x", body(3*t.unit, 1)} {
					attrs, err := b.Upload(t.Context(), key, strings.NewReader(content), storage.WithRetention(retainUntil, mode))
					require.NoError(t, err)
					want := storage.Retention{Mode: mode, Until: retainUntil.Add(time.Second - 1).Truncate(time.Second).UTC()}
					require.Equal(t, want, attrs.Retention)
					require.Equal(t, want, t.attrs(b, key).Retention)
					t.requireNothingDone(b.Remove(t.Context(), key, storage.WithVersion(attrs.Version)), storage.Locked)
					t.put(b, key, "new")
					require.NoError(t, b.Remove(t.Context(), key))
					require.Equal(t, content, t.get(b, key, storage.WithVersion(attrs.Version)))
				}
			}
		},
	},
	{
		Name:        "a legal hold keeps an object",
		Rule:        "G3",
		Explanation: "Remove of the version is Locked until SetLegalHold ends the hold; a bypass does not help",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			attrs := t.put(b, "a", "x", storage.WithLegalHold())
			require.True(t, attrs.LegalHold)
			require.True(t, t.attrs(b, "a").LegalHold)
			version := storage.WithVersion(attrs.Version)
			t.requireNothingDone(b.Remove(t.Context(), "a", version), storage.Locked)
			t.requireNothingDone(b.Remove(t.Context(), "a", version, storage.WithGovernanceBypass()), storage.Locked)
			require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", false))
			require.False(t, t.attrs(b, "a").LegalHold)
			require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", true, version))
			t.requireNothingDone(b.Remove(t.Context(), "a", version), storage.Locked)
			require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", false, version))
			require.NoError(t, b.Remove(t.Context(), "a", version))
		},
	},
	{
		Name:        "a retention in the mode Governance can be bypassed",
		Rule:        "G3",
		Explanation: "it is extended by anybody; to shorten it, or to remove the object, takes WithGovernanceBypass",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime).Truncate(time.Second).UTC()
			governed := func(end time.Time) storage.Retention {
				return storage.Retention{Mode: storage.Governance, Until: end}
			}
			attrs := t.put(b, "a", "x", storage.WithRetention(retainUntil, storage.Governance))
			longer := retainUntil.Add(lockTime)
			require.NoError(t, storage.SetRetention(t.Context(), b, "a", governed(longer)))
			require.Equal(t, governed(longer), t.attrs(b, "a").Retention)
			t.requireNothingDone(storage.SetRetention(t.Context(), b, "a", governed(retainUntil)), storage.Locked)
			require.Equal(t, governed(longer), t.attrs(b, "a").Retention)
			require.NoError(t, storage.SetRetention(t.Context(), b, "a", governed(retainUntil), storage.WithGovernanceBypass()))
			require.Equal(t, governed(retainUntil), t.attrs(b, "a").Retention)
			version := storage.WithVersion(attrs.Version)
			t.requireNothingDone(b.Remove(t.Context(), "a", version), storage.Locked)
			require.NoError(t, b.Remove(t.Context(), "a", version, storage.WithGovernanceBypass()))
			_, err := b.Attrs(t.Context(), "a", version)
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name:        "a retention can be ended",
		Rule:        "G3",
		Explanation: "the zero retention ends one in the mode Governance with WithGovernanceBypass, and else is Locked",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime)
			governed := t.put(b, "a", "x", storage.WithRetention(retainUntil, storage.Governance))
			t.requireNothingDone(storage.SetRetention(t.Context(), b, "a", storage.Retention{}), storage.Locked)
			require.NoError(t,
				storage.SetRetention(t.Context(), b, "a", storage.Retention{}, storage.WithGovernanceBypass()))
			require.Zero(t, t.attrs(b, "a").Retention)
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(governed.Version)))
			t.put(b, "b", "x", storage.WithRetention(retainUntil, storage.Compliance))
			t.requireNothingDone(storage.SetRetention(t.Context(), b, "b", storage.Retention{}), storage.Locked)
			t.requireNothingDone(
				storage.SetRetention(t.Context(), b, "b", storage.Retention{}, storage.WithGovernanceBypass()),
				storage.Locked,
			)
		},
	},
	{
		Name:        "a retention in the mode Compliance can only be extended",
		Rule:        "G3",
		Explanation: "shortening, weakening and removing are Locked, also with WithGovernanceBypass",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime).Truncate(time.Second).UTC()
			attrs := t.put(b, "a", "x")
			require.NoError(t,
				storage.SetRetention(t.Context(), b, "a", storage.Retention{Mode: storage.Compliance, Until: retainUntil}))
			longer := storage.Retention{Mode: storage.Compliance, Until: retainUntil.Add(lockTime)}
			require.NoError(t, storage.SetRetention(t.Context(), b, "a", longer))
			for name, weaker := range map[string]storage.Retention{
				"shorter": {Mode: storage.Compliance, Until: retainUntil},
				"weaker":  {Mode: storage.Governance, Until: longer.Until},
			} {
				for _, opts := range [][]storage.RetentionOption{nil, {storage.WithGovernanceBypass()}} {
					err := storage.SetRetention(t.Context(), b, "a", weaker, opts...)
					require.Equal(t, storage.Locked, storage.CodeOf(err), "%s: %v", name, err)
				}
			}
			require.Equal(t, longer, t.attrs(b, "a").Retention)
			err := b.Remove(t.Context(), "a", storage.WithVersion(attrs.Version), storage.WithGovernanceBypass())
			t.requireNothingDone(err, storage.Locked)
		},
	},
	{
		Name:        "a copy does not take the locks of its source",
		Rule:        "G2",
		Explanation: "Copy and Compose lock what they write by their own options",
		Needs:       storage.ObjectLock | storage.Versioning,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime).Truncate(time.Second).UTC()
			want := storage.Retention{Mode: storage.Governance, Until: retainUntil}
			t.put(b, "a", "x", storage.WithRetention(retainUntil, storage.Governance), storage.WithLegalHold())
			_, err := storage.Copy(t.Context(), b, "free", b, "a")
			require.NoError(t, err)
			require.Zero(t, t.attrs(b, "free").Retention)
			require.False(t, t.attrs(b, "free").LegalHold)
			_, err = storage.Copy(
				t.Context(), b, "copied", b, "free", storage.WithRetention(retainUntil, storage.Governance),
				storage.WithLegalHold(),
			)
			require.NoError(t, err)
			_, err = storage.Compose(
				t.Context(), b, "joined", []string{"a", "free"}, storage.WithRetention(retainUntil, storage.Governance),
				storage.WithLegalHold(),
			)
			require.NoError(t, err)
			for _, key := range []string{"copied", "joined"} {
				require.Equal(t, want, t.attrs(b, key).Retention, key)
				require.True(t, t.attrs(b, key).LegalHold, key)
			}
		},
	},
	{
		Name:        "a signed upload locks its object",
		Rule:        "G3",
		Explanation: "retention and hold are signed, and the object has them; what the store cannot sign is Unsupported",
		Needs:       storage.ObjectLock | storage.Versioning | storage.SignedURLs | storage.SignedLocks,
		run: func(t *T) {
			b := t.openLocking()
			retainUntil := time.Now().Add(lockTime).Truncate(time.Second).UTC()
			sum := storage.WithCRC32C(
				crc32.Checksum([]byte("text"), crc32.MakeTable(crc32.Castagnoli)),
			) // S3 accepts a lock only with a checksum of the body
			_, err := b.SignedUploadURL(t.Context(), "a", storage.WithLegalHold(), sum)
			holds := err == nil
			opts := []storage.SignedUploadOption{storage.WithRetention(retainUntil, storage.Governance), sum}
			if holds {
				opts = append(opts, storage.WithLegalHold())
			} else {
				require.NotEmpty(t, t.requireCode(err, storage.Unsupported).Hint)
			}
			signedURL, err := b.SignedUploadURL(t.Context(), "a", opts...)
			require.NoError(t, err)
			response := t.do(signedURL, strings.NewReader("text"), nil)
			require.Less(t, response.status, 300, response.body)
			attrs := t.attrs(b, "a")
			require.Equal(t, storage.Retention{Mode: storage.Governance, Until: retainUntil}, attrs.Retention)
			require.Equal(t, holds, attrs.LegalHold)
		},
	},
	{
		Name:        "a retention that no provider would keep is refused",
		Rule:        "G3",
		Explanation: "a time that has passed and an unknown mode are InvalidArgument before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			now := time.Now()
			for name, bad := range map[string]storage.Retention{
				"passed":         {Mode: storage.Governance, Until: now.Add(-time.Minute)},
				"no time":        {Mode: storage.Compliance},
				"no mode":        {Until: now.Add(lockTime)},
				"another mode":   {Mode: "COMPLIANCE", Until: now.Add(lockTime)},
				"the year 10000": {Mode: storage.Governance, Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
			} {
				t.requireNoRequests(func() {
					for way, err := range writesWith(t, b, "new", storage.WithRetention(bad.Until, bad.Mode)) {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s, %s: %v", name, way, err)
					}
					err := storage.SetRetention(t.Context(), b, "a", bad)
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				})
			}
			t.requireMissing(b, "new")
		},
	},
	{
		Name:        "a bucket without object lock refuses locks",
		Rule:        "G3",
		Explanation: "the operation is Unsupported with a hint, and nothing is stored, unless the lock is kept (holds on Google): no lock is dropped in silence",
		Needs:       storage.ObjectLock,
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			retainUntil := time.Now().Add(lockTime)
			errs := retentionRefused(t, b)
			if _, err := b.Upload(t.Context(), "held", strings.NewReader("x"), storage.WithLegalHold()); err == nil {
				require.True(t, t.attrs(b, "held").LegalHold)
				t.requireNothingDone(b.Remove(t.Context(), "held"), storage.Locked)
				require.NoError(t, storage.SetLegalHold(t.Context(), b, "held", false))
				require.NoError(t, b.Remove(t.Context(), "held"))
			} else {
				maps.Copy(errs, holdRefused(t, b))
			}
			for way, err := range errs {
				e := t.requireNothingDone(err, storage.Unsupported)
				require.NotEmpty(t, e.Hint, way)
			}
			require.Equal(t, []string{"key"}, t.keys(b))
			_, err := b.Upload(
				t.Context(), "new", strings.NewReader(body(3*t.unit, 1)),
				storage.WithRetention(retainUntil, storage.Governance),
			)
			t.requireNothingDone(err, storage.Unsupported)
			t.requireMissing(b, "new")
		},
	},
}

// openLocking opens an empty bucket that can lock objects.
func (t *T) openLocking(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	opts = append(opts, storage.WithObjectLock())
	if t.options.locking != nil {
		return t.autoClose(t.options.locking(t.T, t.fastRetry(opts)...))
	}
	return t.open(opts...)
}

// locksRefused makes all calls that lock an object, and returns their errors by name.
func locksRefused(t *T, b storage.Bucket) map[string]error {
	errs := retentionRefused(t, b)
	maps.Copy(errs, holdRefused(t, b))
	return errs
}

// retentionRefused makes each call that sets a retention, and returns the errors by the name of the call.
// It is for stores that must refuse all of them.
func retentionRefused(t *T, b storage.Bucket) map[string]error {
	retainUntil := time.Now().Add(lockTime)
	errs := lockedWrites(t, b, "WithRetention", storage.WithRetention(retainUntil, storage.Governance))
	errs["SetRetention"] = storage.SetRetention(t.Context(), b, "key", storage.Retention{
		Mode:  storage.Governance,
		Until: retainUntil,
	})
	return errs
}

// holdRefused makes all calls that set a legal hold, and returns their errors by name.
func holdRefused(t *T, b storage.Bucket) map[string]error {
	errs := lockedWrites(t, b, "WithLegalHold", storage.WithLegalHold())
	errs["SetLegalHold"] = storage.SetLegalHold(t.Context(), b, "key", true)
	return errs
}

// lockedWrites writes an object with an option in every way, and returns the errors by names that
// begin with name.
func lockedWrites(t *T, b storage.Bucket, name string, opt storage.WriteOption) map[string]error {
	errs := map[string]error{}
	for way, err := range writesWith(t, b, "new", opt) {
		// If the store has ObjectLock, it signs the URL and refuses only the upload. Signing then
		// returns no error that could be compared.
		if way == "SignedUploadURL" && t.has(storage.ObjectLock) {
			continue
		}
		errs[name+", "+way] = err
	}
	return errs
}

var restoreCases = []Case{
	{
		Name:        "restoring what can be read succeeds",
		Rule:        "G5",
		Explanation: "Restore of an object that is not archived changes nothing, also when it is repeated",
		Needs:       storage.Restoring,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			before := t.attrs(b, "a")
			require.False(t, before.Archived)
			require.NoError(t, storage.Restore(t.Context(), b, "a"))
			require.NoError(t, storage.Restore(t.Context(), b, "a", storage.WithRestoreDays(2)))
			require.Equal(t, before, t.attrs(b, "a"))
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name:        "restoring a missing object",
		Rule:        "G5",
		Explanation: "Restore fails with ObjectNotFound, and makes nothing",
		Needs:       storage.Restoring,
		run: func(t *T) {
			b := t.open()
			t.requireNothingDone(storage.Restore(t.Context(), b, "missing"), storage.ObjectNotFound)
			t.requireMissing(b, "missing")
		},
	},
	{
		Name:        "a restored copy is kept for at least a day",
		Rule:        "G5",
		Explanation: "days below 1 are InvalidArgument with every provider, before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			for _, days := range []int{0, -1} {
				t.requireNoRequests(func() {
					t.requireCode(storage.Restore(t.Context(), b, "a", storage.WithRestoreDays(days)),
						storage.InvalidArgument)
				})
			}
		},
	},
}
