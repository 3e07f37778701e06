package filesapi

import (
	"path"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads"
)

// A Record describes a file.
type Record struct {
	ID string `json:"ID"` // 36 characters, of which 128 bits are random; in order of Created
	// FileExt is the extension of OriginalFileName in lower case, with its dot, such
	// as ".jpg". It is "" if the name has none, or one that is not 1 to 15 ASCII
	// letters and digits. It is never only ".". If uploads.Config.Rules look at the content, it is that of the content.
	FileExt          string `json:"FileExt"`
	MIMEType         string `json:"MIMEType"`         // by Rules that look at the content; else by FileExt; else by the first bytes; never ""
	OriginalFileName string `json:"OriginalFileName"` // as given: 1 to 1,000 characters, safe to show; escape it in HTML
	OriginalLength   int64  `json:"OriginalLength"`   // bytes
	UploadedBy       string `json:"UploadedByUser.ID"`
	Purpose          string `json:"Purpose,omitempty"`
	// Created is when the upload started, or when all parts of it were there, in UTC, to the millisecond.
	Created time.Time `json:"Created"`
	// CRC32C (Castagnoli) is the checksum of all bytes; it is unknown if the provider has none
	// for joined parts.
	CRC32C storage.CRC32C `json:"CRC32C,omitzero"`
}

func recordOf(f *uploads.File) *Record {
	return &Record{
		ID: f.ID, FileExt: path.Ext(f.Key), MIMEType: f.ContentType, OriginalFileName: f.Name, OriginalLength: f.Size,
		UploadedBy: f.User.ID, Purpose: f.Purpose, Created: timeid.Time(f.ID), CRC32C: f.CRC32C,
	}
}
