package state

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These are the modes of a retention, and the names of the headers for a lock.
const (
	Governance = "GOVERNANCE"
	Compliance = "COMPLIANCE"
	LockMode   = "X-Amz-Object-Lock-Mode"
	LockUntil  = "X-Amz-Object-Lock-Retain-Until-Date"
	LockHold   = "X-Amz-Object-Lock-Legal-Hold"
)

// IsLockMode reports whether text is a mode of a retention.
func IsLockMode(text string) bool { return text == Governance || text == Compliance }

// A Lock protects a version from removal, by a retention, a legal hold or both.
type Lock struct {
	Mode  string // "" means no retention
	Until time.Time
	Hold  string // state of the legal hold: "ON", "OFF", or "" if it was never set
}

// Write adds the lock to the headers of a response.
func (l Lock) Write(header http.Header) {
	if l.Mode != "" {
		header.Set(LockMode, l.Mode)
		header.Set(LockUntil, xmldoc.Time(l.Until))
	}
	if l.Hold != "" {
		header.Set(LockHold, l.Hold)
	}
}

// CheckRemoval fails if the lock forbids the removal of the version now. With bypass, the caller may
// ignore a retention in governance mode.
func (l Lock) CheckRemoval(now time.Time, bypass bool) error {
	isRetained := now.Before(l.Until) && !(l.Mode == Governance && bypass)
	if l.Hold == "ON" || isRetained {
		return Protected()
	}
	return nil
}

// Protected returns the error for a change that a lock forbids.
func Protected() *s3error.Error {
	return s3error.New("AccessDenied").WithMessage("Access Denied because object protected by object lock.")
}
