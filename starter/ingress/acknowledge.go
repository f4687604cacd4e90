package ingress

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

// maxIDBytes bounds the delivery ids in the header of an answer: proxies refuse answers with large
// headers.
const maxIDBytes = 2 << 10

// stored is one delivery of an accepted event, as the answer shows it.
type stored struct {
	deliveries.Key
	// Duplicate is whether the delivery was stored before.
	Duplicate bool `json:"duplicate"`
}

// id is the delivery as the Courier-Delivery header names it, whatever its workflow is called.
func (s stored) id() string { return s.EventID + "@" + s.Destination }

// acknowledge answers 200 for an event whose deliveries are stored. The headers name as many as
// fit; a caller that accepts application/json gets them all in the body.
func acknowledge(w http.ResponseWriter, r *http.Request, all []stored) {
	header := w.Header()
	ids, listed, duplicates := "", 0, 0
	for _, s := range all {
		if s.Duplicate {
			duplicates++
		}
		separator := ""
		if listed > 0 {
			separator = ", "
		}
		if len(ids)+len(separator)+len(s.id()) <= maxIDBytes {
			ids += separator + s.id()
			listed++
		}
	}
	if listed > 0 {
		header.Set("Courier-Delivery", ids)
	}
	if listed < len(all) {
		header.Set("Courier-Deliveries", strconv.Itoa(len(all)))
	}
	if len(all) > 0 && duplicates == len(all) {
		header.Set("Courier-Duplicate", "true")
	}
	if acceptsJSON(r.Header) {
		respond.JSON(w, http.StatusOK, map[string][]stored{"deliveries": all})
		return
	}
	respond.Text(w, http.StatusOK, "OK")
}

// acceptsJSON is whether a request names application/json in Accept. "*/*" is not enough: it also
// stands for GitBook's runtime's own answer, which is text.
func acceptsJSON(header http.Header) bool {
	for _, line := range header.Values("Accept") {
		for mediaRange := range strings.SplitSeq(line, ",") {
			mediaType, params, _ := mime.ParseMediaType(mediaRange)
			quality, err := strconv.ParseFloat(params["q"], 64)
			if mediaType == "application/json" && (err != nil || quality > 0) {
				return true
			}
		}
	}
	return false
}
