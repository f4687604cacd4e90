package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/respond"
)

const (
	// jobsOnPage is how many jobs are listed at once.
	jobsOnPage = 20
	// maxForm bounds the forms, in bytes.
	maxForm = 16 << 10
)

// jobNames are the filters of a bulk redelivery, as the API's members.
var jobNames = []string{"destination", "type", "status", "since", "until"}

// jobsPage is the form for a bulk redelivery, and the jobs so far.
type jobsPage struct {
	Values   map[string]string
	Statuses []deliveries.Status
	Jobs     []deliveries.Job
	Next     string
	Problem  string
}

// jobs serves GET /console/redeliveries.
func (c *Console) jobs(w http.ResponseWriter, r *http.Request) error {
	return c.showJobs(w, r, http.StatusOK, r.URL.Query(), "")
}

func (c *Console) showJobs(w http.ResponseWriter, r *http.Request, status int, form url.Values, problem string) error {
	page := jobsPage{
		Values: make(map[string]string), Problem: problem,
		Statuses: []deliveries.Status{deliveries.Undelivered, deliveries.Cancelled, deliveries.Delivered},
	}
	for _, name := range jobNames {
		page.Values[name] = form.Get(name)
	}
	found, err := c.Deliveries.Jobs(r.Context(), jobsOnPage, r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	page.Jobs = found.Redeliveries
	if found.NextCursor != "" {
		page.Next = Path + "/redeliveries?" + url.Values{"cursor": {found.NextCursor}}.Encode()
	}
	return c.render(w, status, "jobs", view{Title: "Send many again", Section: "redeliveries", Page: page})
}

// startJob serves POST /console/redeliveries: it counts, or sends, as the button says.
func (c *Console) startJob(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return respond.NewError(http.StatusBadRequest, "the form cannot be read; send it again")
	}
	filters := given(r.PostForm, jobNames)
	request := make(map[string]any)
	for name := range filters {
		request[name] = filters.Get(name)
	}
	if len(filters) == 0 || len(filters) == 1 && filters.Get("status") == string(deliveries.Undelivered) {
		request = map[string]any{"all": true}
	}
	request["dryRun"] = r.PostForm.Get("do") != "send"
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	wanted, err := api.ParseJob(body)
	if err != nil {
		return c.showJobs(w, r, http.StatusBadRequest, r.PostForm, err.Error())
	}
	job, err := c.Deliveries.StartJob(r.Context(), wanted)
	if problem, ok := asProblem(err); ok {
		return c.showJobs(w, r, http.StatusBadRequest, r.PostForm, problem)
	}
	if err != nil {
		return err
	}
	seeOther(w, r, Path+"/redeliveries/"+url.PathEscape(job.ID))
	return nil
}

// asProblem is what is wrong with a form, for the page that has it.
func asProblem(err error) (string, bool) {
	filter, isFilter := errors.AsType[*deliveries.FilterError](err)
	query, isQuery := errors.AsType[*api.QueryError](err)
	switch {
	case isFilter:
		return filter.Error(), true
	case isQuery:
		return query.Error(), true
	case errors.Is(err, deliveries.ErrCursor):
		return "this page of the list is gone; begin with the first", true
	case errors.Is(err, deliveries.ErrDestinationUnknown):
		return err.Error(), true
	default:
		return "", false
	}
}

// jobPage is one bulk redelivery.
type jobPage struct {
	deliveries.Job
	Running bool
	// Percent is how much of what was found has been dealt with by the destination.
	Percent int
	// Send is the form with which what was counted is sent; empty when it is no dry run.
	Send map[string]string
	// List is the list of the deliveries that are meant.
	List string
}

// job serves GET /console/redeliveries/{id}.
func (c *Console) job(w http.ResponseWriter, r *http.Request) error {
	job, err := c.Deliveries.Job(r.Context(), variable(r, "id"))
	if err != nil {
		return err
	}
	page := jobPage{Job: job, Running: job.Status == "running"}
	if job.Started > 0 {
		page.Percent = int(100 * (job.Delivered + job.Undelivered) / int64(job.Started))
	}
	query := url.Values{}
	filter := map[string]string{"destination": job.Filter.Destination, "type": job.Filter.Type, "status": string(job.Filter.Status)}
	if !job.Filter.Since.IsZero() {
		filter["since"] = job.Filter.Since.UTC().Format("2006-01-02T15:04:05Z")
	}
	filter["until"] = job.Filter.Until.UTC().Format("2006-01-02T15:04:05Z")
	for name, value := range filter {
		if value != "" {
			query.Set(name, value)
		}
	}
	page.List = Path + "/deliveries?" + query.Encode()
	if job.DryRun && !page.Running {
		page.Send = filter
	}
	live := page.Running || job.Waiting > 0
	return c.render(w, http.StatusOK, "job", view{Title: "Redelivery " + strconv.Quote(job.ID), Section: "redeliveries", Live: live, Page: page})
}

// stopJob serves POST /console/redeliveries/{id}/stop.
func (c *Console) stopJob(w http.ResponseWriter, r *http.Request) error {
	id := variable(r, "id")
	if _, err := c.Deliveries.CancelJob(r.Context(), id); err != nil {
		return err
	}
	seeOther(w, r, Path+"/redeliveries/"+url.PathEscape(id))
	return nil
}

// tryPage is the form for a sample event.
type tryPage struct {
	Destinations      []string
	Types             []string
	Destination, Type string
	Problem           string
}

// try serves GET /console/try.
func (c *Console) try(w http.ResponseWriter, r *http.Request) error {
	return c.showTry(w, r, http.StatusOK, r.URL.Query(), "")
}

func (c *Console) showTry(w http.ResponseWriter, r *http.Request, status int, form url.Values, problem string) error {
	page := tryPage{Types: c.EventTypes, Destination: form.Get("destination"), Type: form.Get("type"), Problem: problem}
	all, err := c.Destinations.All(r.Context())
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Schedule != nil {
			page.Destinations = append(page.Destinations, d.Name)
		}
	}
	return c.render(w, status, "try", view{Title: "Try it", Section: "try", Page: page})
}

// sendSample serves POST /console/try.
func (c *Console) sendSample(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return respond.NewError(http.StatusBadRequest, "the form cannot be read; send it again")
	}
	eventType := r.PostForm.Get("type")
	if !slices.Contains(c.EventTypes, eventType) {
		return c.showTry(w, r, http.StatusBadRequest, r.PostForm, "choose a type of the list")
	}
	sent, err := c.Deliveries.SendSample(r.Context(), r.PostForm.Get("destination"), eventType)
	if errors.Is(err, deliveries.ErrDestinationUnknown) {
		return c.showTry(w, r, http.StatusBadRequest, r.PostForm, err.Error())
	}
	if err != nil {
		return err
	}
	seeOther(w, r, deliveryPath(sent.Destination, sent.EventID))
	return nil
}
