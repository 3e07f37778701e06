package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A restored is the copy of an archived version that can be read for some days.
type restored struct{ from, until time.Time } // zero: nobody has asked for one

// archived reports whether a version must be restored before it can be read.
func (h *Handler) archived(v *version) bool {
	now := h.now()
	return v.object.properties.isArchived() && (now.Before(v.object.restored.from) || !now.Before(v.object.restored.until))
}

// isArchived reports whether reading takes a restored copy.
func (p properties) isArchived() bool { return p.class == "GLACIER" || p.class == "DEEP_ARCHIVE" }

// write writes the header of a read.
func (c restored) write(header http.Header, now time.Time) {
	switch {
	case now.Before(c.from):
		header.Set("X-Amz-Restore", `ongoing-request="true"`)
	case now.Before(c.until):
		header.Set("X-Amz-Restore", `ongoing-request="false", expiry-date="`+c.until.Format(http.TimeFormat)+`"`)
	}
}

// A restoreStatus is a restored copy in a listing.
type restoreStatus struct {
	IsRestoreInProgress bool
	RestoreExpiryDate   string `xml:",omitempty"`
}

// restoreStatus returns the copy of a version if the client asks for it, or nil.
func (l listing) restoreStatus(v *version) *restoreStatus {
	switch {
	case !l.restores:
		return nil
	case l.now.Before(v.object.restored.from):
		return &restoreStatus{IsRestoreInProgress: true}
	case l.now.Before(v.object.restored.until):
		return &restoreStatus{RestoreExpiryDate: xmldoc.Time(v.object.restored.until)}
	}
	return nil
}

type restoreRequest struct {
	XMLName              xml.Name `xml:"RestoreRequest"`
	Days                 int
	Tier                 string
	GlacierJobParameters *struct{ Tier string }
	Description          string
	// These belong to a query of an archived object.
	Type, SelectParameters, OutputLocation *struct{}
	Unknown                                xmldoc.Unknown `xml:",any"`
}

// check refuses a request for anything but a copy for some days.
func (d *restoreRequest) check() error {
	if d.Type != nil || d.SelectParameters != nil || d.OutputLocation != nil {
		return s3error.New("NotImplemented").WithMessage("This server does not implement restore requests of the type SELECT")
	}
	tiers := []string{"", "Standard", "Bulk", "Expedited"}
	if d.Unknown != nil || d.Days < 1 || !slices.Contains(tiers, d.Tier) ||
		d.GlacierJobParameters != nil && !slices.Contains(tiers[1:], d.GlacierJobParameters.Tier) {
		return s3error.New("MalformedXML")
	}
	return nil
}

// restoreObject begins to restore an archived version, or keeps the copy for longer.
func restoreObject(r *request) error {
	var asked restoreRequest
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	status := http.StatusAccepted
	err := replaceVersion(r, func(_ *bucket, v *version) error {
		now := r.server.now()
		switch {
		case !v.object.properties.isArchived():
			return s3error.New("InvalidObjectState").WithMessage("Restore is not allowed for the object's current storage class")
		case now.Before(v.object.restored.from):
			return s3error.New("RestoreAlreadyInProgress")
		case now.Before(v.object.restored.until):
			status = http.StatusOK
		default:
			v.object.restored.from = now.Add(r.server.config.RestoreTime)
		}
		v.object.restored.until = maxTime(now, v.object.restored.from).AddDate(0, 0, asked.Days)
		return nil
	})
	if err != nil {
		return err
	}
	return r.done(status)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
