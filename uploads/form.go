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

const (

	// formOverhead is how many bytes a form may have outside its files: other fields, boundaries
	// and headers.
	formOverhead = 1 << 20
)

// storeForm stores every file of a form. If one file is refused, it removes the others.
func (s *Service) storeForm(c *intake.Call) (err error) {
	release, err := c.Share(min(intake.FileHeld, s.setup.judge.Rules().MaxSize))
	if err != nil {
		return err
	}
	defer release()
	body := http.MaxBytesReader(c.W, intake.Body(c.W, c.Request), s.maxBody())
	reader, err := intake.NewFormReader(c, body, "", formOverhead)
	if err != nil {
		return err
	}
	fm := &form{length: c.ContentLength, held: s.counter.newLease(c.User.ID)}
	defer fm.held.end()

	telling := false
	defer func() {
		// If err is nil and telling is false, a function of the application has panicked.
		if err != nil || !telling {
			for _, f := range fm.stored {
				s.files.takeBack(c.Context(), f)
			}
		}
	}()

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
	telling = true
	for _, f := range fm.stored {
		if err = s.files.end(c.Context(), f); err != nil {
			// the application may have recorded the files, so they must stay
			if errors.Is(err, storage.OutcomeUnknown) {
				fm.stored = nil
			}
			return err
		}
	}
	return c.JSON(http.StatusCreated, map[string]any{"files": fm.stored})
}

func (s *Service) maxBody() int64 {
	files := int64(s.setup.config.MaxFiles)
	maxFile := s.setup.judge.Rules().MaxSize
	if maxFile > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*maxFile + formOverhead
}
