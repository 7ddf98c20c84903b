"""Every label: name without `rln`, type, unit (- for none), meaning.

Types: d double, i integer, b truth value (0/1), s string, v vector. `-> X:` opens the meaning of a
label of older versions whose place X has taken (values may differ in unit: see both).
"""

TABLE = """
AccumMotionEarly d Å Length of the global track up to the early dose limit
AccumMotionLate d Å Length of the global track behind the early dose limit
AccumMotionTotal d Å Length of the whole global track
AccuracyRotations d degree Rotation that can just be told apart, per class
AccuracyTranslations d pixel -> AccuracyTranslationsAngst: shift that can just be told apart
AccuracyTranslationsAngst d Å Shift that can just be told apart, per class
AdaptiveOversampleFraction d - Posterior weight kept for the fine pass
AdaptiveOversampleOrder i - Halvings of the sampling in the fine pass
AmplitudeContrast d - Fraction of amplitude contrast
AmplitudeCorrelationMaskedMaps d - Correlation of amplitudes per shell, masked halves
AmplitudeCorrelationUnmaskedMaps d - Correlation of amplitudes per shell, unmasked halves
AnglePsi d degree In-plane angle, third Euler angle (ZYZ)
AnglePsiFlip b - Whether psi was turned against its prior
AnglePsiFlipRatio d - Weight of the opposite psi: 0.5 both ways alike, 0 one way
AnglePsiPrior d degree Centre of the prior on psi
AngleRot d degree First Euler angle (ZYZ)
AngleRotFlipRatio d - Weight of the opposite rot
AngleRotPrior d degree Centre of the prior on rot
AngleTilt d degree Second Euler angle (ZYZ)
AngleTiltPrior d degree Centre of the prior on tilt
AngstromResolution d Å Resolution of a shell
AreaId i - Number of a field of view
AreaName s - Name of a field of view
AutoLocalSearchesHealpixOrder i - Order from which automatic sampling searches locally
AutopickFigureOfMerit d - Score of a pick
AvailableMemory d GB Memory of a node
AverageNrOfFrames i - Movie frames averaged per movie particle (2.x)
AveragePmax d - Mean of the highest posterior probabilities
AverageValue d - Mean of the pixel values
BeamTiltClass i - -> OpticsGroup: group of common beam tilt (3.0)
BeamTiltX d mrad Beam tilt along X
BeamTiltY d mrad Beam tilt along Y
BestResolutionThusFar d 1/Å Best resolution of this run
BfactorUsedForSharpening d Å² B-factor applied or fitted
BlushNoSpectralTrailing b - Blush: without spectral trailing (5)
BodyKeepFixed i - Whether a body is not moved
BodyMaskName s - Mask of a body
BodyReferenceName s - Reference of a body, or None
BodyRotateDirectionX d - X of the axis a body turns about
BodyRotateDirectionY d - Y of the axis a body turns about
BodyRotateDirectionZ d - Z of the axis a body turns about
BodyRotateRelativeTo i - Body that this one turns about, from 1
BodySigmaAngles d degree Width of the prior on a body's three angles
BodySigmaOffset d pixel -> BodySigmaOffsetAngst: width of the prior on a body's shifts
BodySigmaOffsetAngst d Å Width of the prior on a body's shifts
BodySigmaPsi d degree Width of the prior on a body's psi
BodySigmaRot d degree Width of the prior on a body's rot
BodySigmaTilt d degree Width of the prior on a body's tilt
BodyStarFile s - Bodies of a multi-body refinement
ChangesOptimalClasses d - Fraction of particles that changed class
ChangesOptimalOffsets d Å Mean change of the shifts
ChangesOptimalOrientations d degree Mean change of the orientations
ChromaticAberration d mm Chromatic aberration
ClassDistribution d - Share of the particles in a class
ClassNumber i - Class, or template of a pick, from 1
ClassPriorOffsetX d Å X of the centre of the shift prior of a class
ClassPriorOffsetY d Å Y of the centre of the shift prior of a class
CoarseImageSize i pixel Box of the coarse pass
Comment s - Free text
ConvergenceCone d mrad Half angle of the illumination
CoordinateX d pixel X in the micrograph, unbinned, first pixel 0
CoordinateY d pixel Y in the micrograph, unbinned, first pixel 0
CoordinateZ d pixel Z in the tomogram
CorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps d - FSC of masked, phase-randomised halves
CorrelationFitGuinierPlot d - Correlation of the B-factor fit
CtfAstigmatism d Å Absolute difference of the two defoci
CtfBfactor d Å² Envelope of the CTF
CtfDataAreCtfPremultiplied b - Images are already multiplied by their CTF
CtfDataArePhaseFlipped b - Images are already phase-flipped
CtfFigureOfMerit d - Score of the CTF fit
CtfIceRingDensity d - Power in the ice ring (5)
CtfImage s - Picture of the CTF fit
CtfMaxResolution d Å Resolution up to which the fit holds
CtfPowerSpectrum s - Power spectrum saved by motion correction
CtfScalefactor d - Scale of the CTF
CtfValidationScore d - Validation score of Gctf
CtfValue d - Value of the CTF
CurrentImageSize i pixel Box used in this iteration
CurrentIteration i - Iteration
CurrentResolution d Å Resolution of this iteration
DataDimensionality i - 2 for images, 3 for subtomograms
DataType i - Kind of image data
DefocusAngle d degree From the X axis to the direction of rlnDefocusU
DefocusU d Å Defocus along rlnDefocusAngle, underfocus positive
DefocusV d Å Defocus across rlnDefocusAngle, underfocus positive
DetectorPixelSize d µm -> ImagePixelSize: detector step; 10000 step / magnification is Å per pixel
Diff2RandomHalves d - Power of the difference of random halves
DifferentialPhaseResidualMaskedMaps d degree Phase residual per shell, masked halves
DifferentialPhaseResidualUnmaskedMaps d degree Phase residual per shell, unmasked halves
DoAutoRefine b - Automatic refinement of two halves
DoAutoSampling b - Automatic angular sampling (4)
DoBlush b - Blush regularisation (5)
DoCenterClasses b - Class averages are centred (4)
DoCorrectCtf b - CTF correction
DoCorrectMagnification b - Magnification correction
DoCorrectNorm b - Normalisation per particle
DoCorrectScale b - Intensity scale per group
DoExternalReconstruct b - Reconstruction by another program
DoFastSubsetOptimisation b - Early iterations use subsets
DoGradientRefine b - Gradient-driven refinement (4)
DoHelicalRefine b - Helical refinement
DoIgnoreCtfUntilFirstPeak b - CTF taken as 1 below its first peak
DoMapEstimation b - Regularised estimation of the maps
DoOnlyFlipCtfPhases b - Only the phases are corrected
DoRealignMovies b - Movie frames are aligned (2.x)
DoSkipAlign b - No alignment
DoSkipRotate b - No rotational search
DoSolventFlattening b - References are masked
DoSolventFscCorrection b - FSC of masked references during refinement
DoSplitRandomHalves b - Two independent halves
DoStochasticEM b - Stochastic EM (3.1)
DoStochasticGradientDescent b - Stochastic gradient descent
DoZeroMask b - Particles are masked with zeros, not noise
EERGrouping i - Hardware frames per fraction
EERUpsampling i - 1: 4K, 2: 8K rendering
Enabled b - Whether a row is to be used
EnergyLoss d eV Energy loss
EstimatedResolution d Å Resolution of a reference
EtomoDirectiveFile s - Directive file of etomo (5)
EvenZernike v rad Symmetric aberration coefficients
ExperimentalDataStarFile s - Particles of a refinement
ExtReconsDataImag s - External reconstruction: imaginary part of the sums
ExtReconsDataReal s - External reconstruction: real part of the sums
ExtReconsResult s - External reconstruction: the map to make
ExtReconsResultStarfile s - External reconstruction: the STAR file to make
ExtReconsWeight s - External reconstruction: weights
FinalResolution d Å Resolution at FSC 0.143
FittedInterceptGuinierPlot d - Intercept of the B-factor fit
FittedSlopeGuinierPlot d Å² Slope of the B-factor fit
FixSigmaNoiseEstimates b - Noise spectra stay fixed
FixSigmaOffsetEstimates b - Shift variance stays fixed
FixTauEstimates b - Signal spectra stay fixed
FourierCompleteness d - Filled share of a shell
FourierMask s - Mask in Fourier space
FourierShellCorrelation d - FSC
FourierShellCorrelationCorrected d - FSC corrected for the mask by randomised phases
FourierShellCorrelationMaskedMaps d - FSC of masked halves
FourierShellCorrelationParticleMaskFraction d - FSC corrected for the share of the mask in the box
FourierShellCorrelationParticleMolWeight d - FSC corrected for the share of the particle in the box
FourierShellCorrelationUnmaskedMaps d - FSC of unmasked halves
FourierSpaceInterpolator i - 0 nearest neighbour, 1 linear
GoldStandardFsc d - FSC of two independently refined halves
GradCurrentStepsize d - Step of the gradient (4)
GradEmIters i - EM iterations behind the gradient ones (4)
GradHasConverged b - Gradient iterations are over (4)
GradMoment1 s - First moments of the gradient (4)
GradMoment2 s - Second moments of the gradient (4)
GradSubsetOrder i - Doublings of the mini-batch (4)
GradSuspendFinerSamplingIter i - Iterations without finer sampling (4)
GradSuspendLocalSamplingIter i - Iterations without local sampling (4)
GroupName s - Group of particles with common noise and scale
GroupNrParticles i - Particles in a group
GroupNumber i - Number of a group, from 1
GroupScaleCorrection d - Intensity scale of a group
HasConverged b - Refinement has converged
HasHighFscAtResolLimit b - FSC is high at the edge of the current box
HasLargeSizeIncreaseIterationsAgo i - Iterations since the box grew much
HealpixOrder i - Angular sampling: 12 4^order directions
HealpixOrderOriginal i - The order the run began with
HelicalCentralProportion d - Central share of the box for helical symmetry
HelicalKeepTiltPriorFixed b - Tilt prior stays fixed
HelicalMaskTubeInnerDiameter d Å Inner diameter of the tube mask
HelicalMaskTubeOuterDiameter d Å Outer diameter of the tube mask
HelicalOffsetStep d Å Search step along the helix
HelicalRise d Å Rise per subunit
HelicalRiseInitial d Å Rise at the start
HelicalRiseInitialStep d Å First step of the rise search
HelicalRiseMax d Å Highest rise searched
HelicalRiseMin d Å Lowest rise searched
HelicalSigmaDistance d Å Range over which segments share orientation priors
HelicalSymmetryLocalRefinement b - Symmetry is searched locally
HelicalTrackLength d pixel -> HelicalTrackLengthAngst: distance of a segment from its tube's start
HelicalTrackLengthAngst d Å Distance of a segment from its tube's start
HelicalTubeID i - Tube of a segment, from 1 in each micrograph
HelicalTubePitch d Å Pitch of the helix
HelicalTwist d degree Twist per subunit
HelicalTwistInitial d degree Twist at the start
HelicalTwistInitialStep d degree First step of the twist search
HelicalTwistMax d degree Highest twist searched
HelicalTwistMin d degree Lowest twist searched
HighresLimitExpectation d Å Resolution limit of alignment
HighresLimitSGD d Å Resolution limit of stochastic iterations
IgnoreHelicalSymmetry b - No helical symmetry
ImageDimensionality i - 2 or 3
ImageId i - Number of an image
ImageName s - `number@stack`, from 1, or a file
ImageOriginalName s - Image before subtraction
ImagePixelSize d Å Pixel of the particle images
ImageSize i pixel Box of the particle images
ImageSizeX i pixel Width
ImageSizeY i pixel Height
ImageSizeZ i - Depth, or number of frames of a movie
ImageWeight d - Relative weight of an image
IncrementImageSize i pixel Growth of the box beyond the resolution
Is3DSampling b - Rotations are sampled in 3D
Is3DTranslationalSampling b - Shifts are sampled in 3D
IsFlip b - Image is to be mirrored
IsHelix b - Helical particles
JobIsContinue b - Job continues an earlier run
JobIsTomo b - Job belongs to tomography (4)
JobOptionDefaultValue s - Default of an option
JobOptionDirectoryDefault s - Folder a file dialogue opens in
JobOptionFilePattern s - File pattern of an option
JobOptionGUILabel s - Label of an option in the window
JobOptionHelpText s - Help of an option
JobOptionMenuOptions s - Choices of an option
JobOptionSliderMax d - Highest slider value
JobOptionSliderMin d - Lowest slider value
JobOptionSliderStep d - Slider step
JobOptionValue s - Value of an option
JobOptionVariable s - Key of an option
JobType i - Number of a job type
JobTypeLabel s - Name of a job type (4)
JobTypeName s - Name of a job type
JoboptionType i - Kind of an option
JoinHalvesUntilThisResolution d Å Halves share their signal to this resolution
KullbackLeiblerDivergence d - Divergence of a priori and a posteriori
KurtosisExcessValue d - Excess kurtosis of the pixel values
LensStability d ppm Lens current stability
LocalSymmetryFile s - Local symmetry operators
LogAmplitudesIntercept d - Fitted line of the Guinier plot
LogAmplitudesMTFCorrected d - Log amplitudes after MTF correction
LogAmplitudesOriginal d - Log amplitudes of the map
LogAmplitudesSharpened d - Log amplitudes after sharpening
LogAmplitudesWeighted d - Log amplitudes after FSC weighting
LogLikeliContribution d - Log-likelihood of a particle
LogLikelihood d - Log-likelihood of all particles
LongitudinalDisplacement d Å Movement along the optical axis
LowresLimitExpectation d Å Lowest resolution used in alignment
MagMat00 d - Magnification matrix, XX
MagMat01 d - Magnification matrix, XY
MagMat10 d - Magnification matrix, YX
MagMat11 d - Magnification matrix, YY
Magnification d - -> ImagePixelSize: magnification at the detector
MagnificationCorrection d - Scale of a group's pixel size
MagnificationSearchRange d - Range of the magnification search
MagnificationSearchStep d - Step of the magnification search
MaskName s - Mask
Matrix_1_1 d - Transformation matrix
Matrix_1_2 d - Transformation matrix
Matrix_1_3 d - Transformation matrix
Matrix_2_1 d - Transformation matrix
Matrix_2_2 d - Transformation matrix
Matrix_2_3 d - Transformation matrix
Matrix_3_1 d - Transformation matrix
Matrix_3_2 d - Transformation matrix
Matrix_3_3 d - Transformation matrix
MaxNumberOfPooledParticles i - Particles handled together
MaxValueProbDistribution d - Highest posterior probability of a particle
MaximumCoarseImageSize i pixel Largest box of the coarse pass
MaximumSignificantPoses i - Most poses kept for the fine pass (4)
MaximumValue d - Highest pixel value
MicrographBinning d - Binning of motion correction
MicrographCoordinates s - Coordinate file of a micrograph (4)
MicrographDefectFile s - Defects of the detector
MicrographDoseRate d e/Å² Dose of a frame
MicrographEndFrame i - Last frame used, from 1
MicrographFrameNumber i - Frame, from 1
MicrographGainName s - Gain reference
MicrographIceRingDensity d - Power in the ice ring (5)
MicrographId i - Number of a micrograph
MicrographMetadata s - STAR file of a movie's motion
MicrographMovieName s - Movie
MicrographName s - Micrograph
MicrographNameEven s - Sum of the even frames (5)
MicrographNameNoDW s - Micrograph without dose weighting
MicrographNameOdd s - Sum of the odd frames (5)
MicrographOriginalPixelSize d Å Pixel of the movie
MicrographPixelSize d Å Pixel of the micrograph
MicrographPreExposure d e/Å² Dose before the first frame
MicrographShiftX d pixel Shift of a frame along X, unbinned; -9999 unused
MicrographShiftY d pixel Shift of a frame along Y, unbinned; -9999 unused
MicrographStartFrame i - First frame used, from 1
MicrographTiltAngle d degree Tilt of the specimen
MicrographTiltAxisDirection d degree Direction of the tilt axis
MicrographTiltAxisOutOfPlane d degree Tilt axis out of the image plane
MinRadiusNnInterpolation i pixel Radius below which the nearest neighbour is taken
MinimumValue d - Lowest pixel value
ModelStarFile s - References of a refinement, first half
ModelStarFile2 s - References of a refinement, second half
MolecularWeight d kDa Molecular weight
MotionModelCoeff d pixel Coefficient of the local motion model
MotionModelCoeffsIdx i - Its index: 0..17 X, 18..35 Y
MotionModelVersion i - 0 none, 1 third-order polynomial
MovieFrameNumber i - Frame of a movie particle
MovieFramesRunningAverage i - Width of the running average of frames
MtfFileName s - MTF of the detector
MtfValue d - MTF
NormCorrection d - Normalisation of a particle
NormCorrectionAverage d - Mean of the normalisations
NrBodies i - Bodies
NrClasses i - Classes
NrGroups i - Groups
NrHelicalAsymUnits i - Helical subunits in a new part of the box
NrHelicalNStart i - Starts of the helix
NrOfFrames i - Frames of a movie
NrOfSignificantSamples i - Poses with significant weight
NrOpticsGroups i - Optics groups (4)
NumberOfIterWithoutChangingAssignments i - Iterations without changes of orientation
NumberOfIterWithoutResolutionGain i - Iterations without gain of resolution
NumberOfIterations i - Iterations to do
OddZernike v rad Antisymmetric aberration coefficients
OffsetRange d Å Search range of shifts (pixels before 3.1)
OffsetRangeOriginal d Å The range the run began with
OffsetRangeX d Å Search range along X (5)
OffsetRangeY d Å Search range along Y (5)
OffsetRangeZ d Å Search range along Z (5)
OffsetStep d Å Search step of shifts (pixels before 3.1)
OffsetStepOriginal d Å The step the run began with
OpticsGroup i - Optics group, from 1
OpticsGroupName s - Name of an optics group
OpticsStarFile s - Optics groups of a refinement
OrientSamplingStarFile s - Sampling of a refinement
OrientationDistribution d - Share of the particles in a direction
OrientationalPriorMode i - Which angles have priors
OrientationsID i - Number of a direction
OriginX d pixel -> OriginXAngst: shift that brings the particle to the centre
OriginXAngst d Å Shift along X that brings the particle to the centre
OriginXPrior d pixel -> OriginXPriorAngst: centre of the prior
OriginXPriorAngst d Å Centre of the prior on the X shift
OriginY d pixel -> OriginYAngst: shift that brings the particle to the centre
OriginYAngst d Å Shift along Y that brings the particle to the centre
OriginYPrior d pixel -> OriginYPriorAngst: centre of the prior
OriginYPriorAngst d Å Centre of the prior on the Y shift
OriginZ d pixel -> OriginZAngst: shift that brings the particle to the centre
OriginZAngst d Å Shift along Z that brings the particle to the centre
OriginZPrior d pixel -> OriginZPriorAngst: centre of the prior
OriginZPriorAngst d Å Centre of the prior on the Z shift
OriginalImageSize i pixel Box of the references
OriginalParticleName s - Particle of a movie particle (2.x)
OutputRootName s - Root of the output files
OverallAccuracyRotations d degree Accuracy of the best class
OverallAccuracyTranslations d pixel -> OverallAccuracyTranslationsAngst: accuracy of the best class
OverallAccuracyTranslationsAngst d Å Accuracy of the best class
OverallFourierCompleteness d - Filled share of Fourier space
PaddingFactor d - Oversampling of the references' transforms
ParticleBoxFractionMolecularWeight d % Share of the particle in the box
ParticleBoxFractionSolventMask d % Share of the mask in the box
ParticleDiameter d Å Diameter of the particle mask
ParticleFigureOfMerit d - Figure of merit of a particle
ParticleId i - Number of a particle
ParticleName s - Particle
ParticleNumber i - How many particles
ParticleSelectZScore d - Score of particle sorting, low is good
ParticleSelectionType i - Kind of a selection
PerFrameCumulativeWeight d - Summed weight of the frames up to here
PerFrameRelativeWeight d - Weight of a frame
PhaseShift d degree Phase shift of a phase plate
PipeLineEdgeFromNode s - Node a process reads
PipeLineEdgeProcess s - Process of an edge
PipeLineEdgeToNode s - Node a process makes
PipeLineJobCounter i - Number of the next job
PipeLineNodeName s - File of a node
PipeLineNodeType i - -> PipeLineNodeTypeLabel: number of the node type
PipeLineNodeTypeLabel s - Name of the node type (4)
PipeLineNodeTypeLabelDepth i - Levels of the node type (5)
PipeLineProcessAlias s - Alias of a job, or None
PipeLineProcessName s - Job folder with its slash
PipeLineProcessStatus i - -> PipeLineProcessStatusLabel: number of the state
PipeLineProcessStatusLabel s - Name of the state (4)
PipeLineProcessType i - -> PipeLineProcessTypeLabel: number of the job type
PipeLineProcessTypeLabel s - Name of the job type (4)
PixelSize d Å Pixel of references and maps
PostprocessedMap s - Sharpened map (4)
PostprocessedMapMasked s - Sharpened, masked map (4)
PsiStep d degree Step of psi
PsiStepOriginal d degree The step the run began with
RadiusMaskExpImages i pixel Radius of the mask on images
RadiusMaskMap i pixel Radius of the mask on maps
RandomSeed i - Seed
RandomSubset i - Half a particle belongs to, 1 or 2
RandomiseFrom d Å Phases are randomised beyond
ReconstructImageName s - Image used for reconstruction
ReferenceDimensionality i - 2 or 3
ReferenceImage s - Map or class average
ReferenceSigma2 d - Noise power of a reference per shell
ReferenceSpectralPower d - Power of a reference per shell
ReferenceTau2 d - Signal power of a reference per shell
RefsAreCtfCorrected b - References have no CTF
Resolution d 1/Å Spatial frequency of a shell
ResolutionInversePixel d 1/pixel Spatial frequency, Nyquist 0.5
ResolutionSquared d 1/Å² Square of the spatial frequency
SGDGradientImage s - Gradient of a reference
SamplingPerturbFactor d - Largest random shift of the angular grid, in steps
SamplingPerturbInstance d - Random shift of the angular grid in this iteration
SamplingRate d Å Pixel
SamplingRateX d Å Pixel along X
SamplingRateY d Å Pixel along Y
SamplingRateZ d Å Pixel along Z
ScheduleBooleanVariableName s - -> SchemeBooleanVariableName: name
ScheduleBooleanVariableResetValue b - -> SchemeBooleanVariableResetValue: value after a reset
ScheduleBooleanVariableValue b - -> SchemeBooleanVariableValue: value
ScheduleCurrentNodeName s - -> SchemeCurrentNodeName: where the schedule stands
ScheduleEdgeBooleanVariable s - -> SchemeEdgeBooleanVariable: variable that decides a fork
ScheduleEdgeInputNodeName s - -> SchemeEdgeInputNodeName: start of an edge
ScheduleEdgeIsFork b - -> SchemeEdgeIsFork: whether an edge forks
ScheduleEdgeNumber i - -> SchemeEdgeNumber: number of an edge
ScheduleEdgeOutputNodeName s - -> SchemeEdgeOutputNodeName: end of an edge
ScheduleEdgeOutputNodeNameIfTrue s - -> SchemeEdgeOutputNodeNameIfTrue: its end if the variable is true
ScheduleEmailAddress s - -> SchemeEmailAddress: address
ScheduleFloatVariableName s - -> SchemeFloatVariableName: name
ScheduleFloatVariableResetValue d - -> SchemeFloatVariableResetValue: value after a reset
ScheduleFloatVariableValue d - -> SchemeFloatVariableValue: value
ScheduleJobHasStarted b - -> SchemeJobHasStarted: whether a job has begun
ScheduleJobMode s - -> SchemeJobMode: new, continue or overwrite
ScheduleJobName s - -> SchemeJobName: job
ScheduleJobNameOriginal s - -> SchemeJobNameOriginal: job in the schedule's folder
ScheduleName s - -> SchemeName: folder of the schedule
ScheduleOperatorInput1 s - -> SchemeOperatorInput1: first operand
ScheduleOperatorInput2 s - -> SchemeOperatorInput2: second operand
ScheduleOperatorName s - -> SchemeOperatorName: name
ScheduleOperatorOutput s - -> SchemeOperatorOutput: variable that takes the result
ScheduleOperatorType s - -> SchemeOperatorType: kind
ScheduleOriginalStartNodeName s - -> SchemeOriginalStartNodeName: where the schedule begins
ScheduleStringVariableName s - -> SchemeStringVariableName: name
ScheduleStringVariableResetValue s - -> SchemeStringVariableResetValue: value after a reset
ScheduleStringVariableValue s - -> SchemeStringVariableValue: value
SchemeBooleanVariableName s - Truth variable of a scheme (4)
SchemeBooleanVariableResetValue b - Its value after a reset
SchemeBooleanVariableValue b - Its value
SchemeCurrentNodeName s - Where the scheme stands
SchemeEdgeBooleanVariable s - Variable that decides a fork
SchemeEdgeInputNodeName s - Start of an edge
SchemeEdgeIsFork b - Whether an edge forks
SchemeEdgeNumber i - Number of an edge
SchemeEdgeOutputNodeName s - End of an edge
SchemeEdgeOutputNodeNameIfTrue s - End of an edge if its variable is true
SchemeEmailAddress s - Address for messages
SchemeFloatVariableName s - Number variable of a scheme
SchemeFloatVariableResetValue d - Its value after a reset
SchemeFloatVariableValue d - Its value
SchemeJobHasStarted b - Whether a job has begun
SchemeJobMode s - new, continue or overwrite
SchemeJobName s - Job of a scheme
SchemeJobNameOriginal s - Job in the scheme's folder
SchemeName s - Folder of the scheme
SchemeOperatorInput1 s - First operand
SchemeOperatorInput2 s - Second operand
SchemeOperatorName s - Operator of a scheme
SchemeOperatorOutput s - Variable that takes the result
SchemeOperatorType s - Kind of an operator
SchemeOriginalStartNodeName s - Where the scheme begins
SchemeStringVariableName s - Text variable of a scheme
SchemeStringVariableResetValue s - Its value after a reset
SchemeStringVariableValue s - Its value
Selected i - Whether a class is selected
SgdClassInactivityThreshold d - Share below which a class is replaced (4)
SgdFinalIterations i - Stochastic iterations of the last phase
SgdFinalIterationsFraction d - Share of the last phase (4)
SgdFinalResolution d Å Resolution limit of the last phase
SgdFinalSubsetSize i - Mini-batch of the last phase
SgdInBetweenIterations i - Stochastic iterations of the middle phase
SgdInitialIterations i - Stochastic iterations of the first phase
SgdInitialIterationsFraction d - Share of the first phase (4)
SgdInitialResolution d Å Resolution limit of the first phase
SgdInitialSubsetSize i - Mini-batch of the first phase
SgdMaxSubsets i - Most mini-batches (2.1)
SgdMinimumResolution d Å Lowest resolution of gradient iterations (4)
SgdMuFactor d - Momentum
SgdNextSubset i - Next mini-batch (2.1)
SgdSigma2FudgeHalflife i - Particles over which the inflation of the noise halves
SgdSigma2FudgeInitial d - Inflation of the noise at the start
SgdSkipAnneal b - No annealing of the classes
SgdStepsize d - Step of the gradient
SgdStepsizeScheme s - How the step changes (4)
SgdSubsetSize i - Mini-batch
SgdWriteEverySubset i - Mini-batches between writes
Sigma2Noise d - Noise power per shell
SigmaOffsets d pixel -> SigmaOffsetsAngst: width of the shift prior
SigmaOffsetsAngst d Å Width of the shift prior
SigmaPriorPsiAngle d degree Width of the prior on psi
SigmaPriorRotAngle d degree Width of the prior on rot
SigmaPriorTiltAngle d degree Width of the prior on tilt
SignalToNoiseRatio d - Signal-to-noise ratio
SkewnessValue d - Skewness of the pixel values
SmallestChangesClasses i - Fewest changes of class so far
SmallestChangesOffsets d Å Smallest change of shifts so far
SmallestChangesOrientations d degree Smallest change of orientations so far
SolventMask2Name s - Second solvent mask
SolventMaskName s - Solvent mask
SortedIndex i - Place in a sorted list
SpectralIndex i - Shell
SpectralOrientabilityContribution d - Share of a shell in the alignment
SphereRadius d Å Radius of a sphere (5)
SphericalAberration d mm Spherical aberration
SsnrMap d - Signal-to-noise ratio of the map per shell
StandardDeviationValue d - Standard deviation of the pixel values
StarFileMovieParticles s - Movie particles (2.x)
SymmetryGroup s - Point group
Tau2FudgeArg d - Argument of the tau2 scheme (4)
Tau2FudgeFactor d - Regularisation: factor on the signal power
Tau2FudgeScheme s - How that factor changes (4)
TauSpectrumName s - Signal spectrum from a file
TiltAngleLimit d degree Limit of the tilts searched; -91 none
TomoHand d - Sign of the tilt-dependent defocus (4)
TomoName s - Tomogram (4)
TomoNominalDefocus d µm Defocus set at the microscope (5)
TomoNominalStageTiltAngle d degree Tilt of the stage (5)
TomoNominalTiltAxisAngle d degree Direction of the tilt axis (5)
TomoParticlesFile s - Particles of an optimisation set (4)
TomoReconstructedTomogram s - Tomogram file (5)
TomoReconstructedTomogramDenoised s - Denoised tomogram file (5)
TomoReconstructedTomogramHalf1 s - Half tomogram 1 (5)
TomoReconstructedTomogramHalf2 s - Half tomogram 2 (5)
TomoSizeX i pixel Width of the tomogram, unbinned (4)
TomoSizeY i pixel Height of the tomogram, unbinned (4)
TomoSizeZ i pixel Depth of the tomogram, unbinned (4)
TomoTiltMovieFrameCount i - Frames of a tilt movie (5)
TomoTiltSeriesPixelSize d Å Pixel of the tilt series (4)
TomoTiltSeriesStarFile s - Table of a tilt series (5)
TomoTomogramBinning d - Binning of the tomogram (5)
TomoTomogramsFile s - Tomograms of an optimisation set (4)
TomoTrajectoriesFile s - Motion of an optimisation set (4)
TomoXShiftAngst d Å Alignment of a tilt: shift along X (5)
TomoXTilt d degree Alignment of a tilt: rotation about X (5)
TomoYShiftAngst d Å Alignment of a tilt: shift along Y (5)
TomoYTilt d degree Alignment of a tilt: rotation about Y (5)
TomoZRot d degree Alignment of a tilt: rotation about Z (5)
TransversalDisplacement d Å Movement across the optical axis
UnfilteredMapHalf1 s - Half map 1, unfiltered
UnfilteredMapHalf2 s - Half map 2, unfiltered
UnknownLabel s - Stands for a label RELION does not know
UseTooCoarseSampling b - Sampling is coarser than the accuracy calls for
Voltage d kV Acceleration voltage
WidthMaskEdge i pixel Soft edge of masks
"""
