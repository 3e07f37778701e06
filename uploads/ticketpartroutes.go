package uploads

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
)

// maxSigned is how many parts one request may ask for.
const maxSigned = 1000

const numbersField = "numbers" // of a request for parts

// A signedTicketPart is the request that stores one part.
type signedTicketPart struct {
	Number int                `json:"number"`
	Put    *storage.SignedURL `json:"put"`
}

func (h *routes) signParts(c *call) (status int, value any, err error) {
	var asked struct {
		Token   string `json:"token"`
		Numbers []int  `json:"numbers"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return 0, nil, err
	}
	t, upload, e := h.service.decodeParts(c.Context(), asked.Token, c.user.values())
	if e == nil {
		e = checkNumbers(asked.Numbers, t.parts)
	}
	if e != nil {
		return 0, nil, e.about(t.name)
	}
	parts := make([]signedTicketPart, len(asked.Numbers))
	for i, number := range asked.Numbers {
		signed, err := h.service.signPart(c.Context(), t, upload, number)
		if err != nil {
			return 0, nil, err
		}
		parts[i] = signedTicketPart{number, signed}
	}
	return http.StatusOK, map[string]any{"parts": parts}, nil
}

// checkNumbers checks the numbers of the parts that a client asks for.
func checkNumbers(numbers []int, p Parts) *Error {
	if len(numbers) == 0 || len(numbers) > maxSigned {
		return refuse(numbersField, InvalidValue, fmt.Sprintf("Name 1 to %d parts.", maxSigned))
	}
	for i, number := range numbers {
		field := fmt.Sprintf("%s[%d]", numbersField, i)
		switch {
		case !p.has(number):
			return noSuchPart(field, p)
		case slices.Contains(numbers[:i], number):
			return refuse(field, InvalidValue, "Each part is named once.")
		}
	}
	return nil
}

func (h *routes) storedParts(c *call) (status int, value any, err error) {
	token, err := readToken(c)
	if err != nil {
		return 0, nil, err
	}
	numbers, err := h.service.StoredParts(c.Context(), token, c.user)
	return http.StatusOK, map[string]any{numbersField: numbers}, err
}

func (h *routes) abort(c *call) (status int, value any, err error) {
	token, err := readToken(c)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.service.Abort(c.Context(), token, c.user)
}
