package operations

import (
	"encoding/xml"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// checkBypass fails on a strict server if the request has BypassHeader, with any value, but the bucket has
// no object lock. Other servers accept the header, because some programs always send it.
func checkBypass(r *request.Request) error {
	if !r.Server.Strict || r.HTTP.Header.Get(request.BypassHeader) == "" {
		return nil
	}

	b, err := r.Bucket()
	if err != nil {
		return err
	}
	if b.Locking == nil {
		return s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(request.BypassHeader)).
			WithMessage("x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.")
	}
	return nil
}

// requireChecksum fails if an object gets a lock, from the request or by default, but the write has
// neither a digest nor a checksum of its body. subject is the kind of write in the error message,
// "Object" or "Part".
func requireChecksum(r *request.Request, p *request.Body, l state.Lock, subject string) error {
	if p.HasDigest() {
		return nil
	}

	b, err := r.Bucket()
	if err != nil {
		return err
	}
	hasDefault := b.Locking != nil && b.Locking.Mode != ""
	if l.Mode == "" && l.Hold == "" && !hasDefault {
		return nil
	}
	return s3error.New("InvalidRequest").WithMessage(
		"Content-MD5 OR x-amz-checksum- HTTP header is required for Put %s requests with Object Lock parameters",
		subject,
	)
}

type lockConfiguration struct {
	XMLName           xml.Name `xml:"ObjectLockConfiguration"`
	ObjectLockEnabled string
	Rule              *lockRule
}

type lockRule struct {
	DefaultRetention struct {
		Mode        string
		Days, Years *int `xml:",omitempty"`
	}
}

// getLocking returns the object lock settings of a bucket, with the default retention if there is one. It fails if the
// bucket cannot lock objects.
func getLocking(b *state.Bucket) (any, error) {
	s := b.Locking
	if s == nil {
		return nil, s3error.New("ObjectLockConfigurationNotFoundError", "BucketName", b.Name)
	}

	response := lockConfiguration{ObjectLockEnabled: state.Enabled}
	if s.Mode == "" {
		return response, nil
	}

	response.Rule = &lockRule{}
	retention := &response.Rule.DefaultRetention
	retention.Mode = s.Mode
	if s.Days > 0 {
		retention.Days = &s.Days
	} else {
		retention.Years = &s.Years
	}
	return response, nil
}

// putLocking enables object lock on the bucket, which cannot be disabled again, and replaces the default
// retention.
func putLocking(r *request.Request) error {
	var doc lockConfiguration
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	s, err := doc.settings()
	if err != nil {
		return err
	}
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		if b.Versioning != state.Enabled {
			return s3error.New("InvalidBucketState").
				WithMessage("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		b.Locking = s
		return nil
	})
}

// settings converts the document to settings of a bucket, and fails if AWS would refuse it.
func (c *lockConfiguration) settings() (*state.LockSettings, error) {
	if c.ObjectLockEnabled != state.Enabled {
		return nil, s3error.New("MalformedXML")
	}

	// Without a rule, new objects get no retention.
	if c.Rule == nil {
		return &state.LockSettings{}, nil
	}

	retention := c.Rule.DefaultRetention
	hasOnePeriod := (retention.Days == nil) != (retention.Years == nil)
	if !state.IsLockMode(retention.Mode) || !hasOnePeriod {
		return nil, s3error.New("MalformedXML")
	}
	s := &state.LockSettings{Mode: retention.Mode}
	if retention.Days != nil {
		s.Days = *retention.Days
	} else {
		s.Years = *retention.Years
	}

	// These are S3's limits. A much later date would overflow, and the lock would protect nothing.
	const (
		maxDays  = 36500
		maxYears = 100
	)
	if s.Days+s.Years < 1 || s.Days > maxDays || s.Years > maxYears {
		return nil, s3error.New("InvalidArgument").
			WithMessage("Default retention period must be a positive integer value, up to 100 years.")
	}
	return s, nil
}

type retention struct {
	XMLName         xml.Name `xml:"Retention"`
	Mode            string   `xml:",omitempty"`
	RetainUntilDate string   `xml:",omitempty"`
}

// putRetention replaces the retention of a version, or removes it with an empty one.
func putRetention(r *request.Request) error {
	var doc retention
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	newLock, err := doc.lock(r.Server.Now())
	if err != nil {
		return err
	}

	header := http.Header{state.LockMode: {doc.Mode}, state.LockUntil: {doc.RetainUntilDate}}
	return changeLock(r, header, func(l *state.Lock) error {
		return replaceRetention(r, l, newLock)
	})
}

// replaceRetention replaces the retention of a version's lock with that of newLock. While a retention lasts, it can only
// be extended, unless it has the mode GOVERNANCE and the request bypasses it.
func replaceRetention(r *request.Request, l *state.Lock, newLock state.Lock) error {
	isExtension := newLock.Mode == l.Mode && !newLock.Until.Before(l.Until)
	isBypassed := l.Mode == state.Governance && request.IsTrue(r.HTTP.Header, request.BypassHeader)
	isRetained := r.Server.Now().Before(l.Until)
	if isRetained && !isExtension && !isBypassed {
		return state.Protected()
	}
	l.Mode = newLock.Mode
	l.Until = newLock.Until
	return nil
}

// changeLock calls change with the lock of the version that the request names, and stores the changed lock. The caller
// needs the permission for a PutObject with lockHeader, the headers that describe the new lock.
func changeLock(r *request.Request, lockHeader http.Header, change func(*state.Lock) error) error {
	header := r.HTTP.Header.Clone()
	maps.Copy(header, lockHeader)
	if err := access.AuthorizeWith(r, header, nil); err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(b *state.Bucket, v *state.Version) error {
		if b.Locking == nil {
			return missingLocking()
		}
		return change(&v.Object.Lock)
	})
}

func missingLocking() *s3error.Error {
	return s3error.New("InvalidRequest").WithMessage("Bucket is missing Object Lock Configuration")
}

// lock converts the document to a lock. An empty document means no lock. lock fails if the retention has only a mode or
// only a date, or has already ended.
func (d *retention) lock(now time.Time) (state.Lock, error) {
	if d.Mode == "" && d.RetainUntilDate == "" {
		return state.Lock{}, nil
	}

	retainUntil, err := time.Parse(time.RFC3339, d.RetainUntilDate)
	if err != nil || !state.IsLockMode(d.Mode) {
		return state.Lock{}, s3error.New("MalformedXML")
	}
	if !retainUntil.After(now) {
		return state.Lock{}, s3error.New("InvalidArgument").WithMessage("The retain until date must be in the future!")
	}
	return state.Lock{Mode: d.Mode, Until: retainUntil}, nil
}

// getFromLock is like getFromVersion, but f returns the content for a version's lock, and the handler fails if the
// bucket has no object lock.
func getFromLock(name string, f func(state.Lock) (any, error)) handler {
	return func(r *request.Request) error {
		return writeFromVersion(r, name, func(v *state.Version) (any, error) {
			b, err := r.Bucket()
			if err != nil {
				return nil, err
			}
			if b.Locking == nil {
				return nil, missingLocking()
			}
			return f(v.Object.Lock)
		})
	}
}

// getRetention returns the retention of a version, or fails if it has none.
func getRetention(l state.Lock) (any, error) {
	if l.Mode == "" {
		return nil, s3error.New("NoSuchObjectLockConfiguration")
	}
	return retention{Mode: l.Mode, RetainUntilDate: xmldoc.Time(l.Until)}, nil
}

type legalHold struct {
	XMLName xml.Name `xml:"LegalHold"`
	Status  string
}

// putLegalHold sets or removes the legal hold of a version.
func putLegalHold(r *request.Request) error {
	var doc legalHold
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	if doc.Status != "ON" && doc.Status != "OFF" {
		return s3error.New("MalformedXML")
	}

	setHold := func(l *state.Lock) error {
		l.Hold = doc.Status
		return nil
	}
	header := http.Header{state.LockHold: {doc.Status}}
	return changeLock(r, header, setHold)
}

// getLegalHold returns the legal hold of a version, or fails if none was ever set.
func getLegalHold(l state.Lock) (any, error) {
	if l.Hold == "" {
		return nil, s3error.New("NoSuchObjectLockConfiguration")
	}
	return legalHold{Status: l.Hold}, nil
}

// writeLock adds the lock of a version to the response headers, without the retention or the legal hold if
// the caller may not read it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func writeLock(r *request.Request, v *state.Version) error {
	lock := v.Object.Lock
	if lock == (state.Lock{}) {
		return nil
	}

	// The bucket's policy decides what the caller may see.
	b, err := r.Bucket()
	if err != nil {
		return err
	}

	seesRetention, err := mayPerform(r, b, v, "s3:GetObjectRetention")
	if err != nil {
		return err
	}
	if !seesRetention {
		// Without a mode, Write also leaves out the date.
		lock.Mode = ""
	}

	seesHold, err := mayPerform(r, b, v, "s3:GetObjectLegalHold")
	if err != nil {
		return err
	}
	if !seesHold {
		lock.Hold = ""
	}

	lock.Write(r.Writer.Header())
	return nil
}

// mayPerform reports whether the caller has the permission for an action on a version, for which only a
// strict server asks.
func mayPerform(r *request.Request, b *state.Bucket, v *state.Version, action string) (bool, error) {
	err := access.Of(r, b, action, v.Key, r.Query.Get("versionId")).CheckOptional(action)
	if s3error.Is(err, "AccessDenied") {
		return false, nil
	}
	return err == nil, err
}
