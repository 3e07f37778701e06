package operations

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A restoreStatus is the state of a restored copy in a listing.
type restoreStatus struct {
	IsRestoreInProgress bool
	RestoreExpiryDate   string `xml:",omitempty"`
}

// restoreStatus returns the state of the version's restored copy, or nil if there is none or the client
// does not ask for it.
func (l listRequest) restoreStatus(v *state.Version) *restoreStatus {
	if !l.restores {
		return nil
	}
	if l.now.Before(v.Object.Restored.From) {
		return &restoreStatus{IsRestoreInProgress: true}
	}
	if l.now.Before(v.Object.Restored.Until) {
		return &restoreStatus{RestoreExpiryDate: xmldoc.Time(v.Object.Restored.Until)}
	}
	return nil
}

type restoreRequest struct {
	XMLName              xml.Name `xml:"RestoreRequest"`
	Days                 int
	Tier                 string
	GlacierJobParameters *struct{ Tier string }
	Description          string
	// These elements belong to requests of the type SELECT, which are not implemented.
	Type, SelectParameters, OutputLocation *struct{}
}

// Check fails if the request asks for anything but a restored copy, if the copy would exist for less than
// one day, or if the tier is unknown.
func (d *restoreRequest) Check() error {
	if d.Type != nil || d.SelectParameters != nil || d.OutputLocation != nil {
		return s3error.New("NotImplemented").
			WithMessage("This server does not implement restore requests of the type SELECT")
	}
	if d.Days < 1 {
		return s3error.New("MalformedXML")
	}

	tiers := []string{"Standard", "Bulk", "Expedited"}
	if d.Tier != "" && !slices.Contains(tiers, d.Tier) {
		return s3error.New("MalformedXML")
	}
	if d.GlacierJobParameters != nil && !slices.Contains(tiers, d.GlacierJobParameters.Tier) {
		return s3error.New("MalformedXML")
	}
	return nil
}

// restoreObject begins to restore an archived version, or changes how long an already restored copy
// exists.
func restoreObject(r *request.Request) error {
	var doc restoreRequest
	if err := r.ReadXML(&doc); err != nil {
		return err
	}

	// The status is Accepted if the restoration begins, and OK if the copy exists already.
	status := http.StatusAccepted
	err := replaceVersion(r, func(_ *state.Bucket, v *state.Version) error {
		// An archived version can be read from Restored.From until Restored.Until.
		now := r.Server.Now()
		switch {
		case !v.Object.Properties.IsArchived():
			return s3error.New("InvalidObjectState").
				WithMessage("Restore is not allowed for the object's current storage class")
		case now.Before(v.Object.Restored.From):
			return s3error.New("RestoreAlreadyInProgress")
		case now.Before(v.Object.Restored.Until):
			status = http.StatusOK
		default:
			v.Object.Restored.From = now.Add(r.Server.RestoreTime)
		}

		// The days begin when the copy is ready.
		start := now
		if v.Object.Restored.From.After(now) {
			start = v.Object.Restored.From
		}
		v.Object.Restored.Until = start.AddDate(0, 0, doc.Days)
		return nil
	})
	if err != nil {
		return err
	}
	return r.Done(status)
}
