package s3server

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const (
	governance = "GOVERNANCE"
	compliance = "COMPLIANCE"
	lockMode   = "X-Amz-Object-Lock-Mode"
	lockUntil  = "X-Amz-Object-Lock-Retain-Until-Date"
	lockHold   = "X-Amz-Object-Lock-Legal-Hold"
)

// A lock keeps a version from being removed.
type lock struct {
	mode  string // "" without a retention
	until time.Time
	hold  string // "ON", "OFF", or "" if nobody has set it
}

// readLock reads the headers of a write.
func readLock(h *Handler, header http.Header) (lock, error) {
	l := lock{mode: header.Get(lockMode), hold: header.Get(lockHold)}
	until := header.Get(lockUntil)
	wrong := func(name, message string) (lock, error) {
		return l, s3error.New("InvalidArgument", "ArgumentName", name, "ArgumentValue", header.Get(name)).WithMessage("%s", message)
	}
	switch {
	case (l.mode == "") != (until == ""):
		return wrong(lockMode, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case l.mode != "" && l.mode != governance && l.mode != compliance:
		return wrong(lockMode, "Unknown wormMode directive.")
	case l.hold != "" && l.hold != "ON" && l.hold != "OFF":
		return wrong(lockHold, "Legal Hold must be either of 'ON' or 'OFF'")
	case l.mode == "":
		return l, nil
	}
	var err error
	if l.until, err = time.Parse(time.RFC3339, until); err != nil {
		return wrong(lockUntil, "The retain until date must be provided in ISO 8601 format")
	}
	if !l.until.After(h.now()) {
		return wrong(lockUntil, "The retain until date must be in the future!")
	}
	return l, nil
}

// write writes the headers of a read.
func (l lock) write(header http.Header) {
	if l.mode != "" {
		header.Set(lockMode, l.mode)
		header.Set(lockUntil, xmldoc.Time(l.until))
	}
	if l.hold != "" {
		header.Set(lockHold, l.hold)
	}
}

// bypasses reports whether the request bypasses a retention in the mode GOVERNANCE.
func bypasses(r *request) bool {
	return isTrue(r.Header, "X-Amz-Bypass-Governance-Retention")
}

// checkRemoval fails if the lock keeps its version.
func (l lock) checkRemoval(now time.Time, bypass bool) error {
	retained := now.Before(l.until) && !(l.mode == governance && bypass)
	if l.hold == "ON" || retained {
		return protected()
	}
	return nil
}

func protected() *s3error.Error {
	return s3error.New("AccessDenied").WithMessage("Access Denied because object protected by object lock.")
}

// lockNew checks that the bucket can lock an object that is written, and gives the object the
// bucket's default retention if it has none.
func (b *bucket) lockNew(o *object, now time.Time) error {
	switch {
	case b.locking == nil && o.lock != lock{}:
		return s3error.New("InvalidRequest").WithMessage("Bucket is missing ObjectLockConfiguration")
	case b.locking != nil && b.locking.mode != "" && o.lock.mode == "":
		o.lock.mode, o.lock.until = b.locking.mode, now.AddDate(b.locking.years, 0, b.locking.days)
	}
	return nil
}

// needChecksum requires that something vouches for the body of a write in a bucket with a
// default retention, or with a lock of its own. what is "Object" or "Part".
func (r *request) needChecksum(p *expectedBody, l lock, what string) error {
	if p.given != nil || p.md5 != nil {
		return nil
	}
	return r.view(func(b *bucket) error {
		if l.mode == "" && l.hold == "" && (b.locking == nil || b.locking.mode == "") {
			return nil
		}
		return s3error.New("InvalidRequest").WithMessage("Content-MD5 OR x-amz-checksum- HTTP header is required for Put %s requests with Object Lock parameters", what)
	})
}

// lockSettings are those of a bucket that can lock objects. mode, days and years are the
// default retention.
type lockSettings struct {
	mode        string
	days, years int
}

type lockConfiguration struct {
	XMLName           xml.Name `xml:"ObjectLockConfiguration"`
	Xmlns             string   `xml:"xmlns,attr,omitempty"`
	ObjectLockEnabled string
	Rule              *lockRule
}

type lockRule struct {
	DefaultRetention struct {
		Mode        string
		Days, Years *int `xml:",omitempty"`
	}
}

func getLocking(r *request) error {
	response := lockConfiguration{Xmlns: xmldoc.Namespace, ObjectLockEnabled: enabled}
	err := r.view(func(b *bucket) error {
		s := b.locking
		if s == nil {
			return s3error.New("ObjectLockConfigurationNotFoundError", "BucketName", b.name)
		}
		if s.mode == "" {
			return nil
		}
		response.Rule = &lockRule{}
		d := &response.Rule.DefaultRetention
		if d.Mode = s.mode; s.days > 0 {
			d.Days = &s.days
		} else {
			d.Years = &s.years
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

// putLocking enables object lock, which cannot be disabled, and replaces the default retention.
func putLocking(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked lockConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	s, err := asked.settings()
	if err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		if b.versioning != enabled {
			return s3error.New("InvalidBucketState").WithMessage("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		b.locking = s
		return nil
	})
}

func (c *lockConfiguration) settings() (*lockSettings, error) {
	if c.ObjectLockEnabled != enabled {
		return nil, s3error.New("MalformedXML")
	}
	if c.Rule == nil {
		return &lockSettings{}, nil
	}
	d := c.Rule.DefaultRetention
	if d.Mode != governance && d.Mode != compliance || (d.Days == nil) == (d.Years == nil) {
		return nil, s3error.New("MalformedXML")
	}
	s := &lockSettings{mode: d.Mode}
	if d.Days != nil {
		s.days = *d.Days
	} else {
		s.years = *d.Years
	}
	if s.days+s.years < 1 {
		return nil, s3error.New("InvalidArgument").WithMessage("Default retention period must be a positive integer value.")
	}
	return s, nil
}

type retention struct {
	XMLName         xml.Name `xml:"Retention"`
	Xmlns           string   `xml:"xmlns,attr,omitempty"`
	Mode            string   `xml:",omitempty"`
	RetainUntilDate string   `xml:",omitempty"`
}

// putRetention replaces the retention of a version; an empty one ends it.
func putRetention(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked retention
	if err := r.readXML(&asked); err != nil {
		return err
	}
	changed, err := asked.lock(r.server.now())
	if err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(b *bucket, v *version) error {
		if b.locking == nil {
			return missingLocking()
		}
		was := v.object.lock
		extends := changed.mode == was.mode && !changed.until.Before(was.until)
		bypassed := was.mode == governance && bypasses(r)
		if r.server.now().Before(was.until) && !extends && !bypassed {
			return protected()
		}
		v.object.lock.mode, v.object.lock.until = changed.mode, changed.until
		return nil
	})
}

func missingLocking() *s3error.Error {
	return s3error.New("InvalidRequest").WithMessage("Bucket is missing Object Lock Configuration")
}

func (d *retention) lock(now time.Time) (lock, error) {
	if d.Mode == "" && d.RetainUntilDate == "" {
		return lock{}, nil
	}
	until, err := time.Parse(time.RFC3339, d.RetainUntilDate)
	if d.Mode != governance && d.Mode != compliance || err != nil {
		return lock{}, s3error.New("MalformedXML")
	}
	if !until.After(now) {
		return lock{}, s3error.New("InvalidArgument").WithMessage("The retain until date must be in the future!")
	}
	return lock{mode: d.Mode, until: until}, nil
}

// viewLock is viewVersion in a bucket that can lock objects.
func viewLock(r *request, f func(*version) error) error {
	return viewVersion(r, func(v *version) error {
		b, err := r.server.store.bucket(r.Context(), r.target.bucket)
		switch {
		case err != nil:
			return err
		case b.locking == nil:
			return missingLocking()
		}
		return f(v)
	})
}

func getRetention(r *request) error {
	response := retention{Xmlns: xmldoc.Namespace}
	err := viewLock(r, func(v *version) error {
		if v.object.lock.mode == "" {
			return s3error.New("NoSuchObjectLockConfiguration")
		}
		response.Mode, response.RetainUntilDate = v.object.lock.mode, xmldoc.Time(v.object.lock.until)
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

type legalHold struct {
	XMLName xml.Name `xml:"LegalHold"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Status  string
}

func putLegalHold(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked legalHold
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.Status != "ON" && asked.Status != "OFF" {
		return s3error.New("MalformedXML")
	}
	return changeVersion(r, http.StatusOK, func(b *bucket, v *version) error {
		if b.locking == nil {
			return missingLocking()
		}
		v.object.lock.hold = asked.Status
		return nil
	})
}

func getLegalHold(r *request) error {
	response := legalHold{Xmlns: xmldoc.Namespace}
	err := viewLock(r, func(v *version) error {
		if response.Status = v.object.lock.hold; response.Status == "" {
			return s3error.New("NoSuchObjectLockConfiguration")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}
