package uploads

import (
	"errors"
	"io"
	"math"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// formOverhead is how many bytes a form may have outside its files: other fields, boundaries and
// headers.
const formOverhead = 1 << 20

// storeForm stores all files of a form, or none of them if one is refused.
func (s *Service) storeForm(c *intake.Call) error {
	release, err := c.Share(min(intake.FileHeld, s.setup.judge.Rules().MaxSize))
	if err != nil {
		return err
	}

	defer release()

	// Read the files from the body of the request.
	body := http.MaxBytesReader(c.W, intake.Body(c.W, c.Request), s.maxBody())
	reader, err := intake.NewFormReader(c, body, "", formOverhead)
	if err != nil {
		return err
	}

	fm := &form{length: c.ContentLength, held: s.counter.newLease(c.User.ID)}
	defer fm.held.end()

	// The files are taken back even if a function of the application panics.
	keepFiles := false
	defer func() {
		if keepFiles {
			return
		}
		for _, f := range fm.stored {
			s.files.takeBack(c.Context(), f)
		}
	}()
	if err := s.storeParts(c, reader, fm); err != nil {
		return err
	}

	// From here on, the application gets to know the files, so they stay if it panics.
	keepFiles = true
	for _, f := range fm.stored {
		if err := s.files.end(c.Context(), f); err != nil {
			// After OutcomeUnknown, the application may have recorded the files.
			keepFiles = errors.Is(err, storage.OutcomeUnknown)
			return err
		}
	}

	err = c.JSON(http.StatusCreated, map[string]any{"files": fm.stored})
	keepFiles = err == nil
	return err
}

// storeParts stores the files of a form, and adds them to fm. It fails if there are too many files or none.
func (s *Service) storeParts(c *intake.Call, reader *intake.FormReader, fm *form) error {
	for {
		part, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(fm.stored) == s.setup.config.MaxFiles {
			return refusal.OfFile(refusal.CodeTooManyFiles, "There are too many files: send fewer at once.")
		}
		f, err := s.storePart(c.Context(), part, User(c.User), fm)
		if err != nil {
			return err
		}
		fm.stored = append(fm.stored, f)
	}
	if len(fm.stored) == 0 {
		return refusal.NoFile()
	}
	return nil
}

// maxBody returns how many bytes a form may have.
func (s *Service) maxBody() int64 {
	files := int64(s.setup.config.MaxFiles)
	maxFile := s.setup.judge.Rules().MaxSize
	if maxFile > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*maxFile + formOverhead
}
