package files

import "time"

// A Record is what is known of a file beside its bytes.
type Record struct {
	ID string `json:"ID"` // 36 characters, of which 128 bits are random; in order of Created
	// FileExt is the extension of OriginalFileName in lower case, with its point:
	// ".jpg". "" where the name has none, or one that is not 1 to 15 ASCII letters
	// and digits; never "." alone.
	FileExt          string `json:"FileExt"`
	MIMEType         string `json:"MIMEType"`         // as given; else by FileExt; else by the first bytes; never ""
	OriginalFileName string `json:"OriginalFileName"` // as given: 1 to 1,000 characters, safe to show; escape it in HTML
	OriginalLength   int64  `json:"OriginalLength"`   // bytes
	UploadedBy       string `json:"UploadedByUser.ID"`
	Purpose          string `json:"Purpose,omitempty"`
	// Created is when the upload began or, of one in parts, when all of them were
	// there: by Config.Now, in UTC, to the millisecond.
	Created time.Time `json:"Created"`
	// CRC32C (Castagnoli) is of all bytes; nil where the provider keeps none for
	// what was joined of parts.
	CRC32C *uint32 `json:"CRC32C,omitempty"`
}
