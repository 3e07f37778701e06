package readme

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// SaveInvoice needs one permission, and says so.
func SaveInvoice(ctx context.Context, b storage.Uploader, number string, pdf io.Reader) error {
	_, err := b.Upload(ctx, "invoices/"+number+".pdf", pdf)
	return err
}

func TestSaveInvoice(t *testing.T) {
	bucket := memstore.New() // empty, its own, nothing to clean up
	if err := SaveInvoice(t.Context(), bucket, "42", strings.NewReader("PDF")); err != nil {
		t.Fatal(err)
	}
	pdf, attrs, err := storage.ReadAll(t.Context(), bucket, "invoices/42.pdf")
	if err != nil || string(pdf) != "PDF" || attrs.ContentType != "application/pdf" {
		t.Fatalf("read %q, %+v, %v", pdf, attrs, err)
	}
}
